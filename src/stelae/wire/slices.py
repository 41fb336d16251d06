"""Large values as JSON in slices, so that no call of the encoder takes long.

The encoder holds the interpreter while it works. A thread that makes a large answer in slices
lets the event loop run between two of them.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Iterator, Mapping
from types import GeneratorType
from typing import Any

import msgspec

from stelae.types.lazy import np
from stelae.wire.arrays import Buffer, keep_arrays, to_json

SLICE = 1 << 18
"""Bytes of arrays and texts written at once; as JSON about four times as many."""

_LEAST = 64
"""Bytes that any value is taken to have, for what it costs to look at it."""

_SMALL = frozenset({bool, int, float, type(None)})
"""Types of values that have no parts and few bytes."""

_LARGE = "large"
"""Stands for a field of a Struct that is written by itself."""


def json_slices(value: Any) -> Iterator[Buffer]:
    """Encode a value as ``to_json`` does, slice by slice.

    Args:
        value: Plain values, Structs, arrays, mappings and lists. A generator is written as a
            list, and asked for its values when they are due.

    Returns:
        What joined is the JSON.
    """
    if not is_large(value, SLICE):
        return iter([to_json(value)])
    if isinstance(value, msgspec.Struct):
        return _joined(b"{", map(_entry, _fields(value)), b"}")
    if isinstance(value, Mapping):
        return _joined(b"{", map(_entry, value.items()), b"}")
    if isinstance(value, np.ndarray) and value.ndim:
        return _joined(b"[", _rows(value), b"]")
    if isinstance(value, list | tuple | Generator):
        return _joined(b"[", _batches(value), b"]")
    return iter([to_json(value)])


def is_large(value: Any, most: int = SLICE) -> bool:
    """Whether there are more bytes in a value than these; it is looked at no further then."""
    return _left(value, most) < 0


def _left(value: Any, budget: int) -> int:
    """What is left of so many bytes after a value; less than 0 is any number."""
    budget -= _LEAST
    seen = [value]
    for each in seen:  # which grows meanwhile
        kind = type(each)
        if kind in _SMALL:
            continue
        if kind is str or kind is bytes or isinstance(each, str | bytes):
            budget -= len(each)
        elif isinstance(each, np.ndarray):
            budget -= int(each.nbytes)
        elif kind is GeneratorType:
            return -1
        else:
            parts = _parts(each)
            budget -= len(parts) * _LEAST
            if budget >= 0:
                seen += parts
        if budget < 0:
            break
    return budget


def _parts(value: Any) -> Collection[Any]:
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.astuple(value)
    if isinstance(value, list | tuple):
        return value
    if isinstance(value, dict):
        return value.values()
    return value.values() if isinstance(value, Mapping) else ()


def _joined(start: bytes, parts: Iterable[Iterator[Buffer]], end: bytes) -> Iterator[Buffer]:
    before = start
    for part in parts:
        yield before
        yield from part
        before = b","
    yield end if before == b"," else start + end


def _entry(entry: tuple[Any, Any]) -> Iterator[Buffer]:
    name, value = entry
    yield to_json(str(name)) + b":"
    yield from json_slices(value)


def _fields(value: msgspec.Struct) -> Iterator[tuple[str, Any]]:
    """What is written of a Struct: which fields, and in which order, msgspec says."""
    given = {name: getattr(value, name) for name in value.__struct_fields__}
    large = {name: part for name, part in given.items() if is_large(part, SLICE)}
    small = msgspec.structs.replace(value, **dict.fromkeys(large, _LARGE))
    names = dict(zip(value.__struct_encode_fields__, value.__struct_fields__, strict=True))
    for key, part in keep_arrays(small).items():
        yield key, large.get(names.get(key, key), part)


def _rows(array: np.ndarray[Any, Any]) -> Iterator[Iterator[Buffer]]:
    """The rows of an array, as many at once as make a slice; one that is larger by itself."""
    size = int(array[:1].nbytes)
    if size > SLICE and array.ndim > 1:
        yield from map(json_slices, array)
        return
    step = max(1, SLICE // size)
    for start in range(0, len(array), step):
        yield _inside(array[start : start + step])


def _batches(values: Iterable[Any]) -> Iterator[Iterator[Buffer]]:
    """The values of a list, as many at once as make a slice; one that is larger by itself."""
    batch: list[Any] = []
    left = SLICE
    for value in values:
        left = _left(value, left)
        if left < 0 and batch:
            yield _inside(batch)
            batch, left = [], _left(value, SLICE)
        if left < 0:
            yield json_slices(value)
            left = SLICE
        else:
            batch.append(value)
    if batch:
        yield _inside(batch)


def _inside(values: Any) -> Iterator[Buffer]:
    """A list's JSON without its brackets."""
    yield memoryview(to_json(values))[1:-1]
