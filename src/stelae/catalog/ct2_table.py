"""What is in a file of ctranslate2: names and shapes of its tensors, without the numbers.

Source: ctranslate2 4.8, ``specs/model_spec.py`` (binary version 6).
"""

from __future__ import annotations

import struct
from math import prod
from pathlib import Path
from typing import BinaryIO

from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint

VERSION = 6
MOST_TENSORS = 100_000
MOST_AXES = 8

SIZES = (4, 1, 2, 4, 2, 2)
"""Bytes of a number, by the code of its format."""


def kind_of(path: Path) -> str:
    """The kind of model in a file; empty if the file is something else."""
    with path.open("rb") as file:
        head = file.read(6)
        if len(head) < 6:
            return ""
        version, length = struct.unpack("<IH", head)
        name = file.read(length) if version <= VERSION and length <= 64 else b""
    return name.rstrip(b"\0").decode("ascii", "replace") if name.endswith(b"\0") else ""


def shapes_of(path: Path) -> dict[str, tuple[int, ...]]:
    """Shapes of the tensors, by name.

    Raises:
        UnsupportedCheckpoint: The file is of another version of the format.
        ModelLoadFailed: It is broken or cut off.
    """
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            if (version := _number(file, "<I")) != VERSION:
                raise UnsupportedCheckpoint(
                    f"{path} is of version {version} of its format; known is {VERSION}",
                    hint="convert the model again with ctranslate2 4",
                )
            _name(file)
            _number(file, "<I")
            return dict(_tensor(file, size) for _ in range(_count(file)))
    except (struct.error, ValueError, OSError) as error:
        raise ModelLoadFailed(f"{path} is broken or cut off: {error}") from error


def _count(file: BinaryIO) -> int:
    count = _number(file, "<I")
    if count > MOST_TENSORS:
        raise ValueError(f"it promises {count} tensors")
    return count


def _tensor(file: BinaryIO, size: int) -> tuple[str, tuple[int, ...]]:
    """The next one; the file goes on behind its numbers."""
    name = _name(file)
    axes = _number(file, "<B")
    if axes > MOST_AXES:
        raise ValueError(f"{name!r} has {axes} axes")
    shape = tuple(_number(file, "<I") for _ in range(axes))
    code, _ = _number(file, "<B"), _number(file, "<I")  # sizes over 4 GB do not fit the latter
    if code >= len(SIZES):
        raise ValueError(f"{name!r} is of the unknown format {code}")
    end = file.tell() + prod(shape) * SIZES[code]
    if end > size:
        raise ValueError(f"{name!r} ends behind the file")
    file.seek(end)
    return name, shape


def _name(file: BinaryIO) -> str:
    length = _number(file, "<H")
    data = file.read(length)
    if len(data) < length:
        raise ValueError("a name is cut off")
    return data.rstrip(b"\0").decode("utf-8", "replace")


def _number(file: BinaryIO, form: str) -> int:
    found: int = struct.unpack(form, file.read(struct.calcsize(form)))[0]
    return found
