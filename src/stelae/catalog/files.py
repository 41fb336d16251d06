"""Reading a checkpoint's files: never outside it, never too much, never a crash or a wait.

Plain files and folders are read. A symbolic link is followed to a place in the checkpoint
itself, and in the hub's cache from ``snapshots/<commit>`` to its ``blobs``; one that leads
elsewhere is refused, and so is a pipe, a device or a socket, whose reading may never end.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from stelae.errors import ModelLoadFailed

MAX_JSON_BYTES = 4 * 2**20
"""Largest configuration file that is read."""

MAX_TOKENIZER_BYTES = 128 * 2**20
"""Largest ``tokenizer.json``; that of a quarter of a million tokens has 17 MB."""

MAX_DEPTH = 32
"""Deepest nesting of a configuration file; real ones stay under ten."""

Json = dict[str, Any]


def inside(root: Path, relative: str) -> Path:
    """Path of a file or folder of a checkpoint.

    Symbolic links are followed only to places in the checkpoint itself, or in
    the blob store of the hub cache that the checkpoint lies in.

    Raises:
        ModelLoadFailed: The path leads out of the checkpoint, or to something that is
            neither a file nor a folder.
    """
    parts = PurePosixPath(relative)
    if parts.is_absolute() or ".." in parts.parts or "\\" in relative or "\0" in relative:
        raise _outside(root, relative)
    path = root.joinpath(*parts.parts)
    try:
        target = path.resolve()
    except (OSError, RuntimeError) as error:
        raise ModelLoadFailed(f"cannot follow {relative!r} in {root}: {error}") from error
    if not any(target.is_relative_to(home) for home in _homes(root)):
        raise _outside(root, relative)
    if _is_odd(target):
        raise _odd(path)
    return path


def check_plain(root: Path) -> None:
    """Refuse a checkpoint with a pipe, a device or a socket among its files.

    Libraries are given whole folders and open what they find there.

    Raises:
        ModelLoadFailed: There is one; or the folder cannot be listed.
    """
    try:
        found = next((path for path in root.iterdir() if _is_odd(path)), None)
    except OSError as error:
        raise ModelLoadFailed(f"cannot list {root}: {error.strerror or error}") from error
    if found is not None:
        raise _odd(found)


def _is_odd(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except OSError:  # whoever opens it tells why not
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _odd(path: Path) -> ModelLoadFailed:
    return ModelLoadFailed(
        f"{path} is a pipe, a device or a socket; the files of a checkpoint are plain ones",
        hint="put the file itself there, or remove it",
    )


def _homes(root: Path) -> Iterator[Path]:
    yield root.resolve()
    if root.parent.name == "snapshots":  # <cache>/models--org--name/snapshots/<commit>
        yield (root.parent.parent / "blobs").resolve()


def _outside(root: Path, relative: str) -> ModelLoadFailed:
    return ModelLoadFailed(
        f"the checkpoint in {root} names {relative!r}, which leads out of its folder",
        hint="every file of a checkpoint must lie inside it; do not load one from a stranger",
    )


def read_json(root: Path, relative: str, *, limit: int = MAX_JSON_BYTES) -> Any:
    """Value of a JSON file of a checkpoint.

    Returns:
        The value, or ``None`` if there is no such file.

    Raises:
        ModelLoadFailed: The file cannot be read, is larger than ``limit`` bytes,
            is not JSON, is nested too deeply or holds numbers over 64 bits.
    """
    data = read_bytes(root, relative, limit=limit)
    if data is None:
        return None
    return parse_json(data, f"{relative} in {root}")


def parse_json(data: bytes, name: str) -> Any:
    """Value of JSON bytes; ``name`` says in errors whose they are.

    Raises:
        ModelLoadFailed: As for ``read_json``.
    """
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise ModelLoadFailed(f"{name} is not valid JSON: {reason}") from error
    if not _shallow(value, MAX_DEPTH):
        raise ModelLoadFailed(f"{name} is nested more than {MAX_DEPTH} levels deep")
    return value


def _shallow(value: Any, depth: int) -> bool:
    if isinstance(value, dict):
        return depth > 0 and all(_shallow(v, depth - 1) for v in value.values())
    if isinstance(value, list):
        return depth > 0 and all(_shallow(v, depth - 1) for v in value)
    return True


def read_object(root: Path, relative: str) -> Json | None:
    """Object of a JSON file, or ``None`` if there is no such file.

    Raises:
        ModelLoadFailed: As for ``read_json``, or the value is not an object.
    """
    value = read_json(root, relative)
    if value is None and not exists(root, relative):
        return None
    if not isinstance(value, dict):
        raise ModelLoadFailed(
            f"{relative} in {root} holds a {type(value).__name__}, a JSON object was expected"
        )
    return value


def exists(root: Path, relative: str) -> bool:
    """Whether the checkpoint has this file."""
    return inside(root, relative).is_file()


def read_bytes(root: Path, relative: str, *, limit: int) -> bytes | None:
    """Bytes of a file, or ``None`` if there is no such file.

    Raises:
        ModelLoadFailed: The file cannot be read or is larger than ``limit``.
    """
    path = inside(root, relative)
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ModelLoadFailed(f"cannot read {path}: {error.strerror or error}") from error
    if len(data) > limit:
        raise ModelLoadFailed(f"{path} is larger than {limit} bytes, which no {path.name} needs")
    return data


def join(folder: str, name: str) -> str:
    """A checkpoint-relative path, from a folder that may be empty."""
    return f"{folder}/{name}" if folder else name
