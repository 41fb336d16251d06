"""``stelae migrate``: the configuration of other servers, turned into one of Stelae's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stelae.cli import options

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def group() -> None:
    """Turn the configuration of another server into one for Stelae."""


@app.command()
def sie(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder with SIE's model files (YAML).")
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="New YAML file; stdout if not given."),
    ] = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Turn SIE's model files into models, aliases and profiles of one configuration file.

    What has no meaning here is named, on stderr and in comments of the file.
    """
    from stelae.cli.migration import command
    from stelae.cli.output import Output

    command.sie(folder, output, Output(json=json, quiet=quiet))


@app.command()
def clip(
    file: Annotated[Path, typer.Argument(metavar="FLOW", help="Flow file of clip-server (YAML).")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="New YAML file; stdout if not given."),
    ] = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Turn a flow file of clip-server into a configuration file: model, addresses, TLS, CORS.

    What has no meaning here is named, on stderr and in comments of the file.
    """
    from stelae.cli.migration import flow
    from stelae.cli.output import Output

    flow.clip(file, output, Output(json=json, quiet=quiet))
