"""Whether what is to be fetched finds room on the disk, before any of it is."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from stelae.errors import ModelLoadFailed


def check_room(repo: str, folder: Path, sizes: Mapping[str, int]) -> None:
    """Refuse to fetch more than there is room for.

    Args:
        repo: Hub id, for the message.
        folder: Where the files will lie; it need not be there yet.
        sizes: Bytes of the files that are wanted, by path; those that lie there count nothing.

    Raises:
        ModelLoadFailed: There is less room.
    """
    wanted = sum(size for path, size in sizes.items() if not (folder / path).exists())
    home = next(place for place in (folder, *folder.parents) if place.is_dir())
    free = shutil.disk_usage(home).free if wanted else 0
    if wanted > free:
        raise ModelLoadFailed(
            f"{repo} has {said(wanted)} to fetch, and there is room for {said(free)} in {home}",
            hint="make room, or keep the hub's cache on a larger disk (hub.cache)",
        )


def said(size: int) -> str:
    """A number of bytes for people."""
    return f"{size / 1e9:,.1f} GB" if size >= 1e8 else f"{size / 1e6:,.1f} MB"
