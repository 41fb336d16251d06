"""Structs with NumPy arrays in them, as msgpack or JSON.

In msgpack an array is the map ``{"dtype": "<f4", "shape": [2, 3], "data": bin}``,
C order, so that any language reads it; in JSON it is nested lists. ``split``
and ``join`` do the same with the array bytes beside the message, so that a hop
between processes copies nothing.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import Any, Generic, TypeVar

import msgspec
import orjson

from stelae.errors import InvalidInput
from stelae.types.lazy import np

T = TypeVar("T")
Buffer = bytes | bytearray | memoryview

DTYPES = frozenset(
    ("<f2", "<f4", "<f8", "<i2", "<i4", "<i8", "<u2", "<u4", "<u8", "|i1", "|u1", "|b1")
)
"""Number formats accepted from outside: plain, little-endian, no objects."""

MAX_DIMENSIONS = 8

LARGE = 1 << 16
"""Bytes from which an array is sent from where it lies; copying fewer is cheaper."""

_BIN8, _BIN32 = 0xC4, 0xC6
"""How msgpack starts bytes whose count is in one byte, or in four."""

_MARK, _INDEX = 20, 4
"""Bytes that stand for a large array until the message is cut, and those that number it."""


class ArrayHead(msgspec.Struct, array_like=True, frozen=True):
    """An array without its bytes: which buffer holds them, and how to read it."""

    buffer: int
    dtype: str
    shape: tuple[int, ...]


class _Inline(msgspec.Struct, frozen=True):
    dtype: str
    shape: list[int]
    data: bytes


@lru_cache(64)
def _name(dtype: np.dtype[Any]) -> str:
    return dtype.str


@lru_cache(64)
def _is_plain(dtype: np.dtype[Any]) -> bool:
    return dtype.str in DTYPES


def _plain(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if _is_plain(array.dtype) and array.flags.c_contiguous:
        return array
    little = array.dtype.newbyteorder("<")
    if little.str not in DTYPES:
        raise InvalidInput(f"an array of the type {array.dtype} cannot be sent, only plain numbers")
    return np.ascontiguousarray(array, dtype=little)


def _raw(array: np.ndarray[Any, Any]) -> memoryview:
    # memoryview.cast refuses views of no bytes
    return array.data.cast("B") if array.size else memoryview(b"")


def _view(dtype: str, shape: Sequence[int], data: Buffer) -> np.ndarray[Any, Any]:
    kind, sizes, size = _layout(dtype, shape)
    given = memoryview(data).nbytes
    if size != given:
        raise _misfit(shape, dtype, size, given)
    return np.ndarray(sizes, kind, data)


def _layout(dtype: str, shape: Sequence[int]) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    """Number format, shape and bytes of an array that is told by others."""
    if dtype not in DTYPES:
        raise InvalidInput(f"array dtype {dtype!r} is not one of {', '.join(sorted(DTYPES))}")
    if len(shape) > MAX_DIMENSIONS or min(shape, default=0) < 0:
        raise InvalidInput(f"array shape {list(shape)} is not up to {MAX_DIMENSIONS} sizes >= 0")
    return np.dtype(dtype), tuple(shape), prod(shape) * int(dtype[2:])


def _misfit(shape: Sequence[int], dtype: str, size: int, given: int) -> InvalidInput:
    return InvalidInput(
        f"array of shape {list(shape)} and dtype {dtype} needs {size} bytes, {given} were given"
    )


def _inline(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        if not (_is_plain(value.dtype) and value.flags.c_contiguous):
            value = _plain(value)
        return {"dtype": _name(value.dtype), "shape": value.shape, "data": value.data}
    raise NotImplementedError(f"cannot send a {type(value).__name__}")


def from_plain(kind: type, value: Any) -> Any:
    """What an array is decoded from: its map, or nested lists; a ``dec_hook`` of msgspec.

    Raises:
        ValueError: It is no array; msgspec adds where it stands.
    """
    try:
        if isinstance(value, dict):
            body = msgspec.convert(value, _Inline)
            return _view(body.dtype, body.shape, body.data)
    except (InvalidInput, msgspec.ValidationError) as error:
        raise ValueError(str(error)) from error
    if isinstance(value, list):
        return _listed(value)
    raise ValueError(f"expected an array, got {type(value).__name__}")


def narrowed(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Pixels that were written as lists: whole numbers are bytes, where all of them fit."""
    whole = array.dtype.kind in "iu" and array.size
    fits = whole and array.min() >= 0 and array.max() <= 255
    return array.astype(np.uint8) if fits else array


def _listed(value: list[Any]) -> np.ndarray[Any, Any]:
    try:
        array = np.asarray(value)
    except (ValueError, OverflowError) as error:
        raise ValueError("nested lists of equal length were expected") from error
    if array.dtype.str not in DTYPES:
        raise ValueError("nested lists of numbers were expected")
    return array


_PACK = msgspec.msgpack.Encoder(enc_hook=_inline)


def pack(value: Any) -> bytes:
    """Encode a value as msgpack with its arrays inside."""
    return _PACK.encode(value)


def pack_pieces(value: Any) -> list[Buffer]:
    """Encode a value as ``pack`` does, but in pieces that leave large arrays where they are.

    Returns:
        What joined is the message; an array of ``LARGE`` bytes and more is a view of it.
    """
    nonce = b""
    large: list[memoryview] = []

    def hook(inner: Any) -> Any:
        nonlocal nonce
        said = _inline(inner)
        if inner.nbytes < LARGE:
            return said
        nonce = nonce or os.urandom(_MARK - _INDEX)
        large.append(said["data"].cast("B"))
        return said | {"data": nonce + len(large).to_bytes(_INDEX, "big")}

    encoded = msgspec.msgpack.Encoder(enc_hook=hook).encode(value)
    if not large:
        return [encoded]
    message = memoryview(encoded)
    pieces: list[Buffer] = []
    start = 0
    for number, data in enumerate(large, 1):
        mark = bytes((_BIN8, _MARK)) + nonce + number.to_bytes(_INDEX, "big")
        place = encoded.index(mark, start)
        head = bytes((_BIN32,)) + data.nbytes.to_bytes(4, "big")
        pieces += [message[start:place], head, data]
        start = place + len(mark)
    return [*pieces, message[start:]]


def unpack(data: Buffer, kind: type[T]) -> T:
    """Decode what ``pack`` wrote; arrays are read-only views of ``data``.

    Raises:
        InvalidInput: The bytes are not msgpack or do not describe a ``kind``.
    """
    try:
        return msgspec.msgpack.decode(data, type=kind, dec_hook=from_plain)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidInput(f"body is not valid msgpack for {kind.__name__}: {error}") from error


def to_json(value: Any) -> bytes:
    """Encode a value as JSON; arrays become nested lists, straight from memory."""
    return plain_json(keep_arrays(value))


def plain_json(value: Any) -> bytes:
    """Encode as ``to_json`` does what has no Structs in it, so that nobody looks for them."""
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY, default=_widen)


def keep_arrays(value: Any) -> Any:
    """A value in plain types, with its arrays as they are."""
    return msgspec.to_builtins(value, enc_hook=_keep, builtin_types=(np.ndarray,), str_keys=True)


def _keep(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value
    raise NotImplementedError(f"cannot send a {type(value).__name__}")


def _widen(value: Any) -> Any:
    # orjson refuses non-contiguous arrays; everything else it cannot write is a mistake.
    if isinstance(value, np.ndarray):
        return _plain(value) if not value.flags.c_contiguous else value.tolist()
    raise TypeError(f"cannot send a {type(value).__name__}")


def from_json(data: Buffer, kind: type[T]) -> T:
    """Decode JSON into a ``kind``.

    Raises:
        InvalidInput: The bytes are not UTF-8 JSON or do not describe a ``kind``.
    """
    try:
        return msgspec.json.decode(data, type=kind, dec_hook=from_plain)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidInput(f"body is not valid JSON for {kind.__name__}: {error}") from error


def split(value: Any) -> tuple[bytes, list[memoryview]]:
    """Encode a value as msgpack with its arrays beside it, uncopied.

    Returns:
        The message, in which each array is an extension naming its buffer, and
        the buffers in that order.
    """
    buffers: list[memoryview] = []

    def beside(inner: Any) -> Any:
        if not isinstance(inner, np.ndarray):
            raise NotImplementedError(f"cannot send a {type(inner).__name__}")
        array = _plain(inner)
        head = ArrayHead(len(buffers), array.dtype.str, array.shape)
        buffers.append(_raw(array))
        return msgspec.msgpack.Ext(1, msgspec.msgpack.encode(head))

    return msgspec.msgpack.Encoder(enc_hook=beside).encode(value), buffers


@lru_cache(1024)
def _head(data: bytes) -> tuple[int, np.dtype[Any], tuple[int, ...], int]:
    """Buffer, number format, shape and bytes that the head of an array tells.

    Those of small calls are alike, and are remembered.
    """
    head = msgspec.msgpack.decode(data, type=ArrayHead)
    return head.buffer, *_layout(head.dtype, head.shape)


_JOINERS = threading.local()
"""Decoders by type, made once in each thread: making one takes longer than using it."""


class _Joiner(Generic[T]):
    """Decodes messages of one type, in one thread."""

    def __init__(self, kind: type[T]) -> None:
        self._buffers: Sequence[Buffer] = ()
        self._decoder = msgspec.msgpack.Decoder(kind, ext_hook=self._beside)

    def decode(self, message: Buffer, buffers: Sequence[Buffer]) -> T:
        """What a message and its buffers tell."""
        self._buffers = buffers
        try:
            return self._decoder.decode(message)
        finally:
            self._buffers = ()

    def _beside(self, code: int, data: memoryview) -> Any:
        buffer, dtype, shape, size = _head(bytes(data))
        given = memoryview(self._buffers[buffer]).nbytes
        if size != given:
            raise _misfit(shape, dtype.str, size, given)
        return np.ndarray(shape, dtype, self._buffers[buffer])


def join(message: Buffer, buffers: Sequence[Buffer], kind: type[T]) -> T:
    """Decode what ``split`` wrote; arrays are views of ``buffers``."""
    known: dict[Any, _Joiner[T]] = _JOINERS.__dict__
    joiner = known.get(kind)
    if joiner is None:
        joiner = known[kind] = _Joiner(kind)
    return joiner.decode(message, buffers)
