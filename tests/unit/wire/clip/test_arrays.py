from __future__ import annotations

import numpy as np
import pytest

from stelae.errors import InvalidInput
from stelae.wire.clip import arrays
from stelae.wire.clip.messages import Document, NdArray


def _message(dtype: str, shape: list[int], buffer: bytes, cls_name: str = "numpy") -> NdArray:
    message = NdArray()
    message.dense.dtype, message.dense.buffer = dtype, buffer
    message.dense.shape[:] = shape
    message.cls_name = cls_name
    return message


@pytest.mark.parametrize("dtype", ["<f4", "<f8", "|u1", "<i8", "<f2", "|b1", "<u2"])
def test_arrays_come_back_as_they_were(dtype: str) -> None:
    given = np.arange(24).reshape(2, 3, 4).astype(dtype)
    message = NdArray()

    arrays.fill(message, given)

    read = arrays.read(NdArray.FromString(message.SerializeToString()))
    assert read.dtype == given.dtype
    np.testing.assert_array_equal(read, given)
    assert message.cls_name == "numpy"


def test_rows_of_a_matrix_and_transposed_ones_are_written_in_order() -> None:
    given = np.arange(6, dtype=np.float32).reshape(2, 3).T
    message = NdArray()

    arrays.fill(message, given)

    assert message.dense.buffer == np.array([0, 3, 1, 4, 2, 5], "<f4").tobytes()


@pytest.mark.parametrize("kind", ["list", "torch", "paddle", "tensorflow", ""])
def test_every_kind_of_dense_array_is_read(kind: str) -> None:
    message = _message("<i8", [2], np.array([1, 2], "<i8").tobytes(), kind)

    assert arrays.read(message).tolist() == [1, 2]


def test_numbers_in_the_other_byte_order_keep_their_value() -> None:
    assert arrays.read(_message(">f4", [1], np.array([1.5], ">f4").tobytes())).tolist() == [1.5]


@pytest.mark.parametrize(
    ("dtype", "shape", "size", "said"),
    [
        ("<f4", [2, 2], 15, "needs 16 bytes, 15 were given"),
        ("<f4", [2**32 - 1] * 8, 4, "needs"),
        ("<f4", [1] * 9, 4, "9 dimensions"),
        ("<f4", [], 0, "needs 4 bytes"),
        ("|O", [1], 8, "dtype '|O'"),
        ("<U5", [1], 20, "dtype '<U5'"),
        ("(1000000000,)f4", [1], 4, "dtype"),
        ("f4,f4", [1], 8, "dtype"),
        ("<f1", [1], 1, "dtype"),
        ("<b8", [1], 8, "dtype"),
        ("", [1], 1, "dtype ''"),
    ],
)
def test_arrays_that_lie_are_refused(dtype: str, shape: list[int], size: int, said: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        arrays.read(_message(dtype, shape, b"\0" * size))

    assert said in raised.value.message


def test_sparse_and_empty_arrays_are_refused() -> None:
    with pytest.raises(InvalidInput, match="sparse"):
        arrays.read(NdArray.FromString(b"\x12\x00"))
    with pytest.raises(InvalidInput, match="empty"):
        arrays.read(NdArray())


def test_arrays_of_objects_are_not_written() -> None:
    with pytest.raises(InvalidInput, match="object"):
        arrays.fill(NdArray(), np.array([object()]))


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f2", "|u1"])
@pytest.mark.parametrize("width", [1, 3, 200, 5000])
def test_vectors_written_beforehand_are_the_embeddings_of_documents(dtype: str, width: int) -> None:
    rows = (np.arange(3 * width) % 256).reshape(3, width).astype(dtype)
    for row, written in zip(rows, arrays.embeddings(rows), strict=True):
        document = Document(id="a")
        document.MergeFromString(written)
        filled = Document(id="a")
        arrays.fill(filled.embedding, row)
        assert document.SerializeToString() == filled.SerializeToString()


def test_vectors_of_all_ones_in_their_bits_are_written_like_others() -> None:
    rows = np.full((2, 2), 0xFF, np.uint8)
    (read, _) = (
        arrays.read(Document.FromString(written).embedding) for written in arrays.embeddings(rows)
    )
    np.testing.assert_array_equal(read, rows[0])
