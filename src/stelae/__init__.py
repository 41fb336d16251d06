"""Stelae: one inference server and one client for every script its users already write in.

Importing the package loads neither torch nor a web framework; names are
resolved when first used.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from stelae.errors import MissingDependency
from stelae.version import __version__

if TYPE_CHECKING:
    from stelae.client import (
        AsyncClient,
        Client,
        Encoding,
        Encodings,
        Extracted,
        Extractions,
        Score,
        Scores,
    )
    from stelae.client.scoring import cosine, maxsim, maxsim_batch, sparse_dot
    from stelae.errors import StelaeError
    from stelae.local import local
    from stelae.types import Item

__all__ = [
    "AsyncClient",
    "Client",
    "Encoding",
    "Encodings",
    "Extracted",
    "Extractions",
    "Item",
    "Score",
    "Scores",
    "StelaeError",
    "__version__",
    "cosine",
    "local",
    "maxsim",
    "maxsim_batch",
    "sparse_dot",
]

_HOMES = {
    "AsyncClient": "stelae.client",
    "Client": "stelae.client",
    "Encoding": "stelae.client",
    "Encodings": "stelae.client",
    "Extracted": "stelae.client",
    "Extractions": "stelae.client",
    "Item": "stelae.types",
    "Score": "stelae.client",
    "Scores": "stelae.client",
    "StelaeError": "stelae.errors",
    "cosine": "stelae.client.scoring",
    "local": "stelae.local",
    "maxsim": "stelae.client.scoring",
    "maxsim_batch": "stelae.client.scoring",
    "sparse_dot": "stelae.client.scoring",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'stelae' has no attribute {name!r}")
    value = getattr(_home(_HOMES[name]), name)
    globals()[name] = value
    return value


def _home(module: str) -> ModuleType:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise MissingDependency(
            f"{module} needs the package {error.name!r}", hint="pip install 'stelae[server]'"
        ) from error


def __dir__() -> list[str]:
    return sorted(__all__)
