"""Trying the key of a server, and keeping it."""

from __future__ import annotations

import getpass
import sys

from stelae.cli import reach
from stelae.cli.output import Output
from stelae.client import _login
from stelae.client._errors import base_url
from stelae.errors import InvalidInput


def enter(server: str | None, out: Output) -> None:
    """Ask for a key, try it and keep it.

    Raises:
        InvalidInput: The address or the key cannot be used.
        Unauthorized: The server does not know the key.
        ServerUnreachable: No server answers there.
    """
    url = base_url(server or reach.DEFAULT_SERVER)
    key = _asked(url)
    with reach.connect(url, key, timeout=15.0) as client:
        client.server()
    place = _login.keep(url, key)
    out.note(f"the key of {url} is kept in {place}")


def leave(server: str | None, out: Output) -> None:
    """Forget the key of a server.

    Raises:
        InvalidInput: The address cannot be used, or no key of it is kept.
    """
    url = base_url(server or reach.DEFAULT_SERVER)
    if not _login.forget(url):
        raise InvalidInput(f"no key of {url} is kept in {_login.file()}")
    out.note(f"the key of {url} is forgotten")


def _asked(url: str) -> str:
    if sys.stdin.isatty():
        key = getpass.getpass(f"Key of {url}: ", sys.stderr)
    else:
        key = sys.stdin.readline()
    if not key.strip():
        raise InvalidInput("there is no key: give one at the prompt, or a line on stdin")
    return key.strip()
