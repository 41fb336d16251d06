"""``stelae keys``: who may ask the server of this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from stelae.cli import options

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def group() -> None:
    """Make and revoke the keys that a server here asks for.

    It need not be restarted. They are kept as hashes in keys.json in the folder of the store
    (store.folder). From the first one on every request must show a key.
    """


@app.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")],
    config: options.ConfigFile = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Make a key and print it; it is shown this once."""
    from stelae.cli import keyring
    from stelae.cli.output import Output

    keyring.create(name, config, Output(json=json, quiet=quiet))


@app.command("list")
def list_keys(config: options.ConfigFile = None, json: options.Json = False) -> None:
    """List the keys by name; the keys themselves are known to nobody."""
    from stelae.cli import keyring
    from stelae.cli.output import Output

    keyring.show(config, Output(json=json))


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(metavar="KEY", help="Its name, or its id.")],
    config: options.ConfigFile = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Forget a key; requests that show it are refused from now on."""
    from stelae.cli import keyring
    from stelae.cli.output import Output

    keyring.revoke(key, config, Output(json=json, quiet=quiet))
