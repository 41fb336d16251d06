"""Stelae: one inference server and one client for every script its users already write in.

Importing the package loads neither torch nor a web framework; names are
resolved when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from stelae.version import __version__

if TYPE_CHECKING:
    from stelae.client import AsyncClient, Client, Encoding, Encodings
    from stelae.errors import StelaeError
    from stelae.local import local
    from stelae.types import Item

__all__ = [
    "AsyncClient",
    "Client",
    "Encoding",
    "Encodings",
    "Item",
    "StelaeError",
    "__version__",
    "local",
]

_HOMES = {
    "AsyncClient": "stelae.client",
    "Client": "stelae.client",
    "Encoding": "stelae.client",
    "Encodings": "stelae.client",
    "Item": "stelae.types",
    "StelaeError": "stelae.errors",
    "local": "stelae.local",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'stelae' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
