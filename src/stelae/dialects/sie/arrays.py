"""Arrays as the SDK packs them: msgpack maps with bytes as keys.

    {b"nd": true, b"type": "<f4", b"kind": b"", b"shape": [2], b"data": bytes}

Written as a constant head and the array's own memory, so that a column of vectors
costs one short piece each and no copy but the last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from math import prod
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

Piece = bytes | memoryview

AT_ONCE = 256
"""Values of a list that are packed at once; other threads may run between."""

_ENCODER = msgspec.msgpack.Encoder()
pack = _ENCODER.encode
"""Plain values as msgpack."""


def map_of(size: int) -> bytes:
    """The start of a map with so many keys (up to 15)."""
    return bytes([0x80 | size])


def list_of(size: int) -> bytes:
    """The start of a list of so many values."""
    if size < 16:
        return bytes([0x90 | size])
    return (
        b"\xdc" + size.to_bytes(2, "big") if size < 1 << 16 else b"\xdd" + size.to_bytes(4, "big")
    )


def _data(size: int) -> bytes:
    """The start of so many raw bytes."""
    if size < 1 << 8:
        return b"\xc4" + size.to_bytes(1, "big")
    return (
        b"\xc5" + size.to_bytes(2, "big") if size < 1 << 16 else b"\xc6" + size.to_bytes(4, "big")
    )


@lru_cache(1024)
def head(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    """All of an array but its numbers; those made lately are remembered."""
    return b"".join(
        (
            map_of(5),
            *(pack(b"nd"), pack(True), pack(b"type"), pack(dtype.str), pack(b"kind"), pack(b"")),
            *(pack(b"shape"), pack(list(shape)), pack(b"data")),
            _data(prod(shape) * dtype.itemsize),
        )
    )


def little(array: NDArray[Any]) -> NDArray[Any]:
    """The array as it is sent: little-endian, in C order."""
    if array.dtype.str[0] != ">" and array.flags.c_contiguous:
        return array
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))


def memory(array: NDArray[Any]) -> Piece:
    """The numbers of an array that is ``little``, uncopied."""
    return array.data.cast("B") if array.size else b""


def write(array: NDArray[Any]) -> tuple[bytes, Piece]:
    """An array as head and numbers."""
    plain = little(array)
    return head(plain.dtype, plain.shape), memory(plain)


def rows(matrix: NDArray[Any]) -> Callable[[int], tuple[bytes, Piece]]:
    """The rows of a matrix as arrays of their own; all have the same head."""
    plain = little(matrix)
    first = head(plain.dtype, plain.shape[1:])
    return lambda index: (first, memory(plain[index]))


def pack_list(values: Sequence[Any]) -> Iterator[bytes]:
    """A list of plain values, a few at a time."""
    yield list_of(len(values))
    for start in range(0, len(values), AT_ONCE):
        yield b"".join(map(pack, values[start : start + AT_ONCE]))
