"""``stelae top``: what a server does at this moment, again and again."""

from __future__ import annotations

from typing import Annotated

import typer

from stelae.cli import options


def top(
    every: Annotated[
        float, typer.Option("--every", metavar="SECONDS", min=0.2, help="Time between two looks.")
    ] = 1.0,
    once: Annotated[
        bool, typer.Option("--once", help="Look once; as where there is no terminal.")
    ] = False,
    server: options.Server = None,
    json: options.Json = False,
    key: options.Key = None,
) -> None:
    """Watch the models of a server: calls, memory, restarts.

    The busiest stand first; Ctrl-C ends.
    """
    from stelae.cli import watching
    from stelae.cli.output import Output

    watching.watch((server, key), Output(json=json), every=every, once=once)
