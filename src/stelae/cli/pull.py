"""``stelae pull``: a model from the hub into the local cache, ready to serve."""

from __future__ import annotations

from typing import Annotated

import typer

from stelae.cli import options
from stelae.cli.completing import complete_known


def pull(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A known name or a hub id, as ORG/NAME.",
            autocompletion=complete_known,
        ),
    ],
    revision: Annotated[
        str | None,
        typer.Option("--revision", metavar="REV", help="Branch, tag or commit; main by default."),
    ] = None,
    config: options.ConfigFile = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Fetch a model from the hub and check that it can be served.

    What is in the cache is not fetched again, and what broke off is resumed.
    """
    from stelae.cli import fetching
    from stelae.cli.output import Output

    fetching.pull(model, revision, config, Output(json=json, quiet=quiet))
