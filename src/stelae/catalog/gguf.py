"""What a GGUF file says of itself: its metadata and its tensors, no number of which is read.

Every length is compared with what the file still has before anything is set aside for it.

Source: the format's specification, ggml ``docs/gguf.md``, versions 2 and 3.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from stelae.catalog.files import inside
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint

MAGIC = b"GGUF"
VERSIONS = (2, 3)

MAX_HEADER_BYTES = 256 * 2**20
"""Largest metadata; that of a quarter of a million tokens has 15 MB."""

MAX_ENTRIES = 65_536
"""Most entries of metadata, and most tensors."""

MAX_NAME_BYTES = 65_535  # the format's own limit

MAX_RANK = 4  # likewise

NUMBERS = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q",
    12: "<d",
}  # fmt: skip
"""Numbers and truth values, by the format's code."""

TEXT, ARRAY = 8, 9

KINDS: dict[int, tuple[str, int, int]] = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22), 7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110), 12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210),
    16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98),
    19: ("IQ1_S", 256, 50), 20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110),
    22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136), 24: ("I8", 1, 1), 25: ("I16", 1, 2),
    26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8), 29: ("IQ1_M", 256, 56),
    30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66), 39: ("MXFP4", 32, 17),
}  # fmt: skip
"""How numbers are stored, by code: name, numbers of a block, and bytes of it."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor as the file lists it.

    Attributes:
        kind: Name of the way its numbers are stored.
        shape: Its shape, the slowest axis first.
    """

    kind: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Gguf:
    """What a file says of itself.

    Attributes:
        values: Metadata by name: numbers, truth values, texts; arrays of numbers are numpy's,
            arrays of texts are lists.
        tensors: By name.
    """

    values: dict[str, Any]
    tensors: dict[str, Stored]


def read_gguf(root: Path, relative: str) -> Gguf:
    """Read the metadata of a file of a checkpoint.

    Raises:
        UnsupportedCheckpoint: It is of another version, or of the other byte order.
        ModelLoadFailed: It cannot be read, or is not whole and well-formed.
    """
    path = inside(root, relative)
    try:
        with path.open("rb") as file:
            return _Reader(path, file).read()
    except OSError as error:
        raise ModelLoadFailed(f"cannot read {path}: {error.strerror or error}") from error


class _Listed(NamedTuple):
    """A tensor as the file has it: its place is counted from the end of the metadata."""

    name: str
    shape: tuple[int, ...]
    kind: int
    place: int


class _Reader:
    """Reads a file from its start."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path, self._file = path, file
        self._size = os.fstat(file.fileno()).st_size
        self._place = 0

    def read(self) -> Gguf:
        if self._take(4) != MAGIC:
            raise self._broken("it does not begin with the letters GGUF")
        version = self._number("<I")
        if version not in VERSIONS:
            raise UnsupportedCheckpoint(
                f"{self._path} is GGUF of version {version}, or of the other byte order; versions "
                f"{VERSIONS[0]} and {VERSIONS[1]} with the low byte first are read"
            )
        tensors, entries = self._count(MAX_ENTRIES), self._count(MAX_ENTRIES)
        values = {self._text(MAX_NAME_BYTES): self._value() for _ in range(entries)}
        listed = [self._tensor() for _ in range(tensors)]
        start = _aligned(self._place, self._alignment(values))
        return Gguf(values, {tensor.name: self._checked(tensor, start) for tensor in listed})

    # -- values ------------------------------------------------------------------------------

    def _value(self) -> Any:
        kind = self._number("<I")
        return self._array() if kind == ARRAY else self._plain(kind)

    def _plain(self, kind: int) -> Any:
        if kind == TEXT:
            return self._text(MAX_HEADER_BYTES)
        if kind not in NUMBERS:
            raise self._broken(f"a value is of the unknown kind {kind}")
        return self._number(NUMBERS[kind])

    def _array(self) -> Any:
        kind = self._number("<I")
        if kind == TEXT:
            return [self._text(MAX_HEADER_BYTES) for _ in range(self._count(MAX_HEADER_BYTES // 8))]
        if kind not in NUMBERS:
            raise self._broken(f"an array holds values of the kind {kind}")
        form = np.dtype(NUMBERS[kind])
        count = self._count(MAX_HEADER_BYTES // form.itemsize)
        return np.frombuffer(self._take(count * form.itemsize), dtype=form)

    # -- tensors -----------------------------------------------------------------------------

    def _tensor(self) -> _Listed:
        name, rank = self._text(MAX_NAME_BYTES), self._number("<I")
        if rank > MAX_RANK:
            raise self._broken(f"tensor {name!r} has {rank} axes")
        shape = tuple(self._number("<Q") for _ in range(rank))[::-1]
        return _Listed(name, shape, self._number("<I"), self._number("<Q"))

    def _checked(self, tensor: _Listed, start: int) -> Stored:
        """A tensor, if the file holds all of it behind the metadata."""
        called, block, size = KINDS.get(tensor.kind, (f"kind {tensor.kind}", 1, 0))
        numbers = prod(tensor.shape)
        end = start + tensor.place + numbers // block * size
        if numbers % block or end > self._size:
            raise self._broken(f"it ends before its tensor {tensor.name!r} does")
        return Stored(called, tensor.shape)

    def _alignment(self, values: dict[str, Any]) -> int:
        stated = values.get("general.alignment", 32)
        if type(stated) is not int or stated < 8 or stated % 8:
            raise self._broken(f"general.alignment is {stated!r}")
        return stated

    # -- bytes -------------------------------------------------------------------------------

    def _count(self, most: int) -> int:
        count: int = self._number("<Q")
        if count > most or count > self._size - self._place:
            raise self._broken(f"it claims to hold {count} things where it cannot")
        return count

    def _text(self, most: int) -> str:
        return self._take(self._count(most)).decode("utf-8", "replace")

    def _number(self, form: str) -> Any:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _take(self, count: int) -> bytes:
        if self._place + count > min(self._size, MAX_HEADER_BYTES):
            raise self._broken("it ends within its metadata")
        data = self._file.read(count)
        if len(data) != count:
            raise self._broken("it became shorter while it was read")
        self._place += count
        return data

    def _broken(self, reason: str) -> ModelLoadFailed:
        return ModelLoadFailed(
            f"{self._path} is not a whole GGUF file: {reason}", hint="fetch the file again"
        )


def _aligned(place: int, step: int) -> int:
    return -(-place // step) * step
