"""``stelae login``: the key of a server, shown to it from now on."""

from __future__ import annotations

from typing import Annotated

import typer

from stelae.cli import options


def login(
    server: options.Server = None,
    remove: Annotated[
        bool, typer.Option("--remove", help="Forget the key of the server instead.")
    ] = False,
    quiet: options.Quiet = False,
) -> None:
    """Keep the key of a server.

    These commands and Python's client show it from then on. It is asked for without being shown, or
    read from stdin, and tried before it is kept: in stelae/logins.json in your folder for settings,
    which only you can read. A key given in another way (STELAE_API_KEY, api_key=) counts before it.
    """
    from stelae.cli import logging_in
    from stelae.cli.output import Output

    out = Output(quiet=quiet)
    if remove:
        logging_in.leave(server, out)
    else:
        logging_in.enter(server, out)
