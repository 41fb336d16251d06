"""Fetching a checkpoint from the model hub into its own cache."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from stelae.errors import ModelNotFound

Progress = Callable[[str, int, int], None]
"""Called with a file name, the bytes so far and the bytes in all."""


class HubOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach the hub.

    Attributes:
        offline: Use only what is in the cache.
        token: Access token for gated and private models.
        cache: Folder of the cache; ``None`` is huggingface_hub's own.
        endpoint: Address of the hub; ``None`` is the public one.
    """

    offline: bool = False
    token: str | None = None
    cache: Path | None = None
    endpoint: str | None = None


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A fetched checkpoint: its folder and its commit."""

    folder: Path
    revision: str


def fetch(
    repo: str, revision: str | None, options: HubOptions, progress: Progress | None = None
) -> Snapshot:
    """Fetch a checkpoint."""
    raise ModelNotFound(f"{repo}: not written yet")
