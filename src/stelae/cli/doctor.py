"""``stelae doctor``: what this machine has, what will happen, what is missing."""

from __future__ import annotations

from typing import Annotated

import typer

from stelae.cli import options


def doctor(
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            metavar="MODEL",
            help="Say which path this model takes; the embedded one by default.",
        ),
    ] = None,
    config: options.ConfigFile = None,
    json: options.Json = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print warnings and what is missing only.")
    ] = False,
) -> None:
    """Check this machine: what it has, what is missing.

    Says which engine and number format models get here and why, and for whatever is missing the
    command that adds it. Exits with 1 if that is something that serving needs.
    """
    from stelae.cli import checkup
    from stelae.cli.output import Output

    raise typer.Exit(0 if checkup.run(model, config, Output(json=json, quiet=quiet)) else 1)
