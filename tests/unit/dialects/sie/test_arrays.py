from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from stelae.dialects.sie.arrays import list_of, rows, write
from stelae.wire.sie.arrays import read

PUBLISHED = bytes.fromhex(
    "85 c4026e64 c3 c40474797065 a33c6634 c4046b696e64 c400 c4057368617065 91 02 c40464617461 c408"
    "0000803f 000000c0"
)
"""What msgpack-numpy writes for float32 [1, -2]."""


def test_array_is_written_as_msgpack_numpy_does() -> None:
    assert b"".join(write(np.array([1, -2], np.float32))) == PUBLISHED


def test_array_of_msgpack_numpy_is_read() -> None:
    array = read(msgspec.msgpack.decode(PUBLISHED))
    assert array.dtype == np.float32
    assert array.tolist() == [1, -2]


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "i4", "u1", ">f4", "b1"])
@pytest.mark.parametrize("shape", [(0,), (3,), (2, 300), (1, 0, 4), (70, 1000)])
def test_what_is_written_is_read_back(dtype: str, shape: tuple[int, ...]) -> None:
    array = (np.arange(np.prod(shape)).reshape(shape) % 2).astype(dtype)
    back = read(msgspec.msgpack.decode(b"".join(write(array))))
    np.testing.assert_array_equal(back, array)
    assert back.dtype == np.dtype(dtype).newbyteorder("<")


def test_rows_are_arrays_of_their_own() -> None:
    matrix = np.arange(12, dtype=np.float64).reshape(3, 4)[:, ::2]
    row = rows(matrix)
    for index in range(3):
        found = read(msgspec.msgpack.decode(b"".join(row(index))))
        np.testing.assert_array_equal(found, matrix[index])


@pytest.mark.parametrize("size", [0, 15, 16, 65_535, 65_536])
def test_lists_of_every_length_have_their_start(size: int) -> None:
    assert msgspec.msgpack.decode(list_of(size) + b"\x01" * size) == [1] * size


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("text", "expected an array, got str"),
        ({b"nd": True, b"type": "O", b"shape": [1], b"data": b"x"}, "not one of plain numbers"),
        ({b"nd": True, b"type": "<f4", b"shape": [2], b"data": b"1234"}, "needs 8 bytes, 4"),
        ({b"nd": True, b"type": "<f4", b"shape": [-1], b"data": b""}, "sizes >= 0"),
        ({b"nd": True, b"type": "<f4", b"shape": [1] * 9, b"data": b"1234"}, "up to 8 sizes"),
        ({b"nd": True, b"type": "<f4", b"shape": [1 << 41], b"data": b""}, "sizes >= 0"),
        ({b"nd": True, b"type": 4, b"shape": [1], b"data": b"1234"}, "not an array"),
        ({b"\xff": 1}, "not an array"),
        ([[1, 2], [3]], "equal length"),
        (["a"], "equal length"),
    ],
)
def test_what_is_no_array_is_told(given: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read(given)
