"""Reading a checkpoint's files: never outside it, never too much, never a crash."""

from __future__ import annotations

import json
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
        ModelLoadFailed: The path leads out of the checkpoint.
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
    return path


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
