"""Arrays as the SDK packs them: msgpack maps with bytes as keys.

    {b"nd": true, b"type": "<f4", b"kind": b"", b"shape": [2], b"data": bytes}

Written as a constant head and the array's own memory, so that a column of vectors
costs one short piece each and no copy but the last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import prod
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from stelae.wire.arrays import DTYPES, MAX_DIMENSIONS

Piece = bytes | memoryview

DTYPES_READ = DTYPES | {name.replace("<", ">") for name in DTYPES if name[0] == "<"}
"""Number formats taken from clients."""

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


def head(dtype: np.dtype[Any], shape: Sequence[int]) -> bytes:
    """All of an array but its numbers."""
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


class _Sent(msgspec.Struct, frozen=True):
    """An array as the SDK packs it, with the keys read as text."""

    nd: bool
    type: str
    shape: list[int] = []
    data: bytes = b""


def read(value: Any) -> NDArray[Any]:
    """An array as it was packed, or nested lists of numbers.

    Raises:
        ValueError: It is none; says why.
    """
    if isinstance(value, list):
        return _listed(value)
    if not isinstance(value, dict):
        raise ValueError(f"expected an array, got {type(value).__name__}")
    named = {
        key.decode(errors="replace") if isinstance(key, bytes) else key: part
        for key, part in value.items()
    }
    try:
        sent = msgspec.convert(named, _Sent)
    except msgspec.ValidationError as error:
        raise ValueError(f"not an array as msgpack-numpy writes it: {error}") from error
    return _view(sent)


def _listed(value: list[Any]) -> NDArray[Any]:
    try:
        array = np.asarray(value, np.float32)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError("nested lists of numbers of equal length were expected") from error
    return array


def _view(sent: _Sent) -> NDArray[Any]:
    if sent.type not in DTYPES_READ:
        raise ValueError(f"array type {sent.type[:16]!r} is not one of plain numbers")
    if len(sent.shape) > MAX_DIMENSIONS or any(not 0 <= n < 1 << 40 for n in sent.shape):
        raise ValueError(f"array shape {sent.shape[:9]} is not up to {MAX_DIMENSIONS} sizes >= 0")
    kind = np.dtype(sent.type)
    needed = prod(sent.shape) * kind.itemsize
    if needed != len(sent.data):
        raise ValueError(
            f"array of shape {sent.shape} and type {sent.type} needs {needed} bytes, "
            f"{len(sent.data)} were given"
        )
    return np.frombuffer(sent.data, kind).reshape(sent.shape)
