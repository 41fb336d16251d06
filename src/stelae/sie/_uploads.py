"""Files as they are given to be kept."""

from __future__ import annotations

from pathlib import Path
from typing import IO

from stelae.errors import InvalidInput

NAME = "upload.jsonl"
"""Name of a file that has none."""

JSONL = "application/jsonl"

Upload = str | Path | bytes | bytearray | IO[bytes]
"""A path, the bytes, or a file that is open for reading them."""


def content_of(file: Upload, filename: str | None = None) -> tuple[bytes, str]:
    """The bytes of a file and its name.

    Args:
        file: Where it is, or what it holds.
        filename: Its name; that of the path if not given.

    Raises:
        InvalidInput: It is none of these, or cannot be read.
    """
    try:
        data, name = _read(file)
    except OSError as error:
        raise InvalidInput(f"file: {error}", param="file") from error
    return data, filename or name


def _read(file: Upload) -> tuple[bytes, str]:
    if isinstance(file, bytes | bytearray):
        return bytes(file), NAME
    if isinstance(file, str | Path):
        return Path(file).read_bytes(), Path(file).name
    data = file.read() if hasattr(file, "read") else None
    if not isinstance(data, bytes):
        raise InvalidInput(
            "file: a path, bytes, or a file opened with 'rb' was expected, "
            f"not {type(file).__name__}",
            param="file",
        )
    name = getattr(file, "name", None)
    return data, Path(name).name if isinstance(name, str) else NAME
