"""What the command line asks a server beside what clients do: the registry and the files."""

from __future__ import annotations

from typing import Any, Self
from urllib.parse import quote, urlencode

import msgspec

from stelae.cli import reach
from stelae.client import _errors
from stelae.client._sync._http import HttpBackend
from stelae.types import CachedModel, Card, EngineFit, ModelKind, Registration

SECONDS = 60.0
"""For an answer; files are looked at for some of them."""

Where = tuple[str | None, str | None]
"""Address of the server, and the key to show."""


class _Cards(msgspec.Struct, frozen=True):
    cards: list[Card]


class _Engines(msgspec.Struct, frozen=True):
    engines: list[EngineFit]


class _Cached(msgspec.Struct, frozen=True):
    models: list[CachedModel]


class Native(HttpBackend):
    """Asks a server in Stelae's own protocol; every error is a ``StelaeError``.

    Args:
        where: The server.

    Raises:
        InvalidInput: The address or the key cannot be used.
    """

    def __init__(self, where: Where) -> None:
        server, key = where
        super().__init__(server or reach.DEFAULT_SERVER, key, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()

    def cards(self, kind: ModelKind | None = None) -> list[Card]:
        """Models that can be launched by name, of a kind or of all."""
        return self._ask("GET", _path("cards", kind=kind), _Cards, SECONDS).cards

    def register(self, registration: Registration, *, persist: bool) -> Card:
        """Make a model known by a name of its own; ``persist`` lets it outlive the server."""
        told = {n: getattr(registration, n) for n in registration.__struct_fields__}
        body = msgspec.json.encode({**told, "persist": persist})
        return self._ask("POST", "registrations", Card, SECONDS, body, _errors.JSON)

    def unregister(self, name: str) -> Registration:
        """Take a registration back."""
        return self._ask("DELETE", _path("registrations", name), Registration, SECONDS)

    def engines(self, name: str) -> list[EngineFit]:
        """What each engine makes of a model."""
        return self._ask("GET", _path("engines", name), _Engines, SECONDS).engines

    def cached(self, name: str | None = None) -> list[CachedModel]:
        """Models whose files are in the cache of the hub, or one of them."""
        return self._ask("GET", _path("cached", model=name), _Cached, SECONDS).models

    def uncache(self, version: str) -> CachedModel:
        """Remove the files of one."""
        return self._ask("DELETE", _path("cached", version), CachedModel, SECONDS)


def _path(room: str, name: str = "", **query: Any) -> str:
    asked = urlencode({key: value for key, value in query.items() if value is not None})
    place = f"/{quote(name, safe='/')}" if name else ""
    return f"{room}{place}{'?' if asked else ''}{asked}"
