"""The command line, ``stelae``: one module per command, what it does in those beside it."""

from __future__ import annotations

import sys
from importlib.util import find_spec

_NEEDS = ("typer", "rich")


def main() -> None:
    """Run the command line; says what to install where only the client is."""
    lacking = [name for name in _NEEDS if find_spec(name) is None]
    if lacking:
        sys.stderr.write(
            f"error: the command line needs the packages {' and '.join(lacking)}\n"
            "hint: pip install 'stelae[cli]' for commands against a server, "
            "or 'stelae[server]' to serve models here\n"
        )
        raise SystemExit(1)
    from stelae.cli.app import run

    run()
