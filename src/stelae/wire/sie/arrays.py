"""Arrays as SIE's SDK packs them, read: msgpack maps with bytes as keys."""

from __future__ import annotations

from math import prod
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from stelae.wire.arrays import DTYPES, MAX_DIMENSIONS

DTYPES_READ = DTYPES | {name.replace("<", ">") for name in DTYPES if name[0] == "<"}
"""Number formats taken from clients."""


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
