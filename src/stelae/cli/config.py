"""``stelae config``: the settings a server would run with, and what can be set."""

from __future__ import annotations

import typer

from stelae.cli import options

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def group() -> None:
    """Show the settings, or everything that can be set."""


@app.command()
def show(
    config: options.ConfigFile = None,
    json: options.Json = False,
) -> None:
    """Show the settings a server started here would have, and where each comes from.

    Secrets are not shown.
    """
    from stelae.cli import effective
    from stelae.cli.output import Output

    effective.show(config, Output(json=json))


@app.command()
def schema(json: options.Json = False) -> None:
    """Print the JSON Schema of the configuration file."""
    del json  # it is JSON either way
    from stelae.cli import effective
    from stelae.cli.output import Output

    effective.schema(Output(json=True))
