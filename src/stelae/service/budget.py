"""How much memory models may take where nobody says: a share of what this process may use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

import psutil

SHARE = 0.8
"""Of the memory of the machine or container; the rest is for the server, files and others."""

ROOT = Path("/")


def budget() -> int:
    """Bytes that models may take together."""
    return int(SHARE * usable_bytes(psutil.virtual_memory().total))


def usable_bytes(total: int, root: Path = ROOT) -> int:
    """Memory that this process may use.

    Args:
        total: Memory of the machine.
        root: Folder with ``proc`` and ``sys``.

    Returns:
        The least of the machine's memory and the limits of the control groups that the
        process is in, and of those around them.

    Source:
        Linux ``Documentation/admin-guide/cgroup-v2.rst`` (``memory.max``) and
        ``cgroup-v1/memory.rst`` (``memory.limit_in_bytes``).
    """
    return min([total, *_limits(root)])


def _limits(root: Path) -> Iterator[int]:
    for file in _files(root):
        with suppress(OSError, ValueError):  # none there, or "max": no limit
            yield int(file.read_text())


def _files(root: Path) -> Iterator[Path]:
    """Where the limits stand, of this process's groups and of those around them."""
    mounted = root / "sys/fs/cgroup"
    yield mounted / "memory.max"  # a container sees its own group there, whatever its path is
    yield mounted / "memory/memory.limit_in_bytes"
    for line in _lines(root / "proc/self/cgroup"):
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        inner = [p for p in (PurePosixPath(path), *PurePosixPath(path).parents) if p.name]
        if number == "0":
            yield from (mounted / str(p).lstrip("/") / "memory.max" for p in inner)
        elif "memory" in controllers.split(","):
            legacy = mounted / "memory"
            yield from (legacy / str(p).lstrip("/") / "memory.limit_in_bytes" for p in inner)


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except OSError:
        return []
