"""A server at one address, as ``xinference`` alone starts it."""

from __future__ import annotations

from typing import Literal, cast, get_args

from stelae.cli.serve import serve
from stelae.errors import InvalidInput

Level = Literal["debug", "info", "warning", "error"]


def start(host: str, port: int, level: str) -> None:
    """Serve until stopped.

    Raises:
        InvalidInput: There is no such level.
        StelaeError: The server could not start.
    """
    plain = level.casefold()
    if plain not in get_args(Level):
        known = ", ".join(get_args(Level)).upper()
        raise InvalidInput(f"log-level={level[:40]!r} is none of {known}", param="log-level")
    shown = f"[{host}]" if ":" in host else host
    serve(listen=[f"http://{shown}:{port}"], log_level=cast("Level", plain))
