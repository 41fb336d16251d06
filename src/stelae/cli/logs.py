"""``stelae logs``: what a running server writes."""

from __future__ import annotations

from typing import Annotated

import typer

from stelae.cli import options


def logs(
    lines: Annotated[
        int, typer.Option("--lines", "-n", metavar="N", min=0, help="How many of the latest.")
    ] = 100,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")
    ] = False,
    server: options.Server = None,
    json: options.Json = False,
    key: options.Key = None,
) -> None:
    """Print what a running server has logged last.

    It keeps the latest lines only (log.lines), those of its workers too. With --json each
    look is a document on a line of its own: the lines, and how many were lost before them.
    """
    from stelae.cli import following
    from stelae.cli.output import Output

    following.show((server, key), lines, Output(json=json), follow=follow)
