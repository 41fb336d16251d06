"""Large values are written in slices of bounded size, and are the same JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stelae.types import Extraction, ExtractResult, Quantization
from stelae.types.extract import Entity
from stelae.wire import slices
from stelae.wire.arrays import to_json
from stelae.wire.slices import SLICE, is_large, json_slices

WIDEST = 25
"""Bytes of JSON that a number of one byte can become, with its comma, and some room."""


def rows(count: int, width: int) -> np.ndarray[Any, Any]:
    return np.arange(count * width, dtype=np.float32).reshape(count, width) / 7


def found(count: int) -> ExtractResult:
    name = Entity(text="Ada", label="person", score=0.5, start=0, end=3)
    return ExtractResult(
        model="m",
        fingerprint="f",
        items=(Extraction(entities=(name,)),) * count,
        tokens=np.ones(count, np.int32),
        truncated=np.zeros(count, np.bool_),
    )


class Named(msgspec.Struct, rename="camel", omit_defaults=True):
    """Written under other names than it has here."""

    large_part: Any
    small_part: int = 3
    other_part: Any = None


LARGE = {
    "matrix": lambda: rows(4000, 64),
    "vector": lambda: rows(1, 300_000)[0],
    "one wide row": lambda: rows(2, 200_000),
    "cube": lambda: rows(1000, 600).reshape(10, 100, 600),
    "reversed": lambda: rows(4000, 64)[::-1],
    "whole numbers": lambda: np.zeros((1_000_000,), np.int8),
    "list of arrays": lambda: [{"i": i, "v": row} for i, row in enumerate(rows(4000, 64))],
    "uneven list": lambda: ["a", "b" * SLICE, "c", rows(1, SLICE)[0], None, {"x": [1.5] * 9}],
    "mapping": lambda: {"a": 1, "b": rows(4000, 64), 3: "x", "c": []},
    "things found": lambda: found(20_000),
    "renamed": lambda: Named(rows(4000, 64), other_part=[rows(9, 9)]),
    "nested": lambda: Named(Quantization(scale=rows(1, 300_000)[0], zero=rows(1, 9)[0])),
}


@pytest.mark.parametrize("make", LARGE.values(), ids=LARGE.keys())
def test_slices_joined_are_the_json(make: Callable[[], Any]) -> None:
    assert b"".join(json_slices(make())) == to_json(make())


@pytest.mark.parametrize("make", LARGE.values(), ids=LARGE.keys())
def test_no_slice_is_much_larger_than_a_slice(make: Callable[[], Any]) -> None:
    sizes = [len(piece) for piece in json_slices(make())]
    assert max(sizes) <= WIDEST * SLICE
    assert sum(size > 1 for size in sizes) > sum(sizes) // (WIDEST * SLICE)


def test_the_encoder_is_called_once_for_each_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def counted(value: Any) -> bytes:
        calls.append(len(value))
        return to_json(value)

    monkeypatch.setattr(slices, "to_json", counted)
    matrix = rows(16_384, 64)
    assert b"".join(json_slices(matrix)) == to_json(matrix)
    assert calls == [SLICE // 256] * (matrix.nbytes // SLICE)


def test_a_generator_is_a_list_whose_values_are_made_when_they_are_due() -> None:
    made: list[int] = []

    def values() -> Iterator[np.ndarray[Any, Any]]:
        for i, row in enumerate(rows(1000, 1000)):
            made.append(i)
            yield row

    pieces = json_slices({"rows": values()})
    first = [next(pieces) for _ in range(4)]
    assert 0 < len(made) < 1000
    assert b"".join([*first, *pieces]) == to_json({"rows": list(rows(1000, 1000))})


@pytest.mark.parametrize("value", [{}, [], (), "", {"a": []}, [{}], np.zeros((0, 3)), None])
def test_small_values_are_written_at_once(value: Any) -> None:
    assert list(json_slices(value)) == [to_json(value)]


def test_an_empty_generator_is_an_empty_list() -> None:
    nothing: tuple[int, ...] = ()
    assert b"".join(json_slices({"a": (n for n in nothing), "b": 1})) == b'{"a":[],"b":1}'


def test_what_is_large_is_not_counted_to_its_end() -> None:
    looked: list[int] = []

    class Counting(list[Any]):
        def __iter__(self) -> Iterator[Any]:
            for value in super().__iter__():
                looked.append(value)
                yield value

    assert is_large(Counting(range(1_000_000)))
    assert len(looked) < SLICE


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3), inner),
)


@given(plain)
def test_any_plain_value_is_the_same(value: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slices, "SLICE", 100)
        assert b"".join(json_slices(value)) == to_json(value)
