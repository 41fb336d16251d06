from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stelae.errors import InvalidInput
from stelae.types import EmbeddingDtype, OutputType, Quantization
from stelae.vectors.quantize import dequantize, quantize

D = EmbeddingDtype
WHOLE = (D.INT8, D.UINT8)
PACKED = (D.BINARY, D.UBINARY)

# The worked example of the sie-sdk wire contract.
X = np.array([[0.5, -1, 0.25, 0, 0.3, -0.004, 0.9, -0.2, 0.1]], np.float32)
PUBLISHED = {
    D.INT8: (np.int8, [64, -127, 32, 0, 38, -1, 114, -25, 13]),
    D.UINT8: (np.uint8, [201, 0, 168, 134, 174, 134, 255, 107, 148]),
    D.BINARY: (np.uint8, [170, 128]),
    D.UBINARY: (np.uint8, [170, 128]),
}

rows = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 4), st.integers(1, 20)),
    # Below 1e-30 float32 has no room for a step of a 255th.
    elements=st.floats(-1e4, 1e4, width=32).map(lambda x: x if abs(x) > 1e-30 else 0),
)


@pytest.mark.parametrize("dtype", PUBLISHED)
def test_codes_are_the_published_ones(dtype: EmbeddingDtype) -> None:
    codes, _ = quantize(X, dtype)
    kind, expected = PUBLISHED[dtype]
    assert codes.dtype == kind
    assert codes.tolist() == [expected]


def test_floats_are_cast_and_need_no_reading() -> None:
    for dtype, kind in ((D.FLOAT32, np.float32), (D.FLOAT16, np.float16)):
        codes, reading = quantize(X, dtype)
        assert reading is None
        np.testing.assert_array_equal(codes, X.astype(kind))
        np.testing.assert_array_equal(dequantize(codes, None), X.astype(kind))


def test_halves_are_rounded_to_even() -> None:
    codes, _ = quantize(np.array([[127, 0.5, 1.5, 2.5, -0.5, -1.5]], np.float32), D.INT8)
    assert codes.tolist() == [[127, 0, 2, 2, 0, -2]]
    codes, _ = quantize(np.array([[255, 0, 0.5, 1.5, 2.5]], np.float32), D.UINT8)
    assert codes.tolist() == [[255, 0, 0, 2, 2]]


@pytest.mark.parametrize(("output", "code"), [(OutputType.DENSE, 128), (OutputType.MULTIVECTOR, 0)])
def test_rows_of_equal_numbers_have_a_code_of_their_own_and_are_read_exactly(
    output: OutputType, code: int
) -> None:
    flat = np.array([[3.5] * 4, [-2] * 4, [0] * 4], np.float32)
    codes, reading = quantize(flat, D.UINT8, output=output)
    assert (codes == code).all()
    np.testing.assert_array_equal(dequantize(codes, reading), flat)


def test_zeros_stay_zeros() -> None:
    zeros = np.zeros((2, 3), np.float32)
    codes, reading = quantize(zeros, D.INT8)
    assert not codes.any()
    np.testing.assert_array_equal(dequantize(codes, reading), zeros)
    codes, reading = quantize(zeros, D.BINARY)
    assert codes.tolist() == [[0], [0]]
    np.testing.assert_array_equal(dequantize(codes, reading, dimensions=3), zeros)


@given(rows)
def test_numbers_come_back_within_half_a_step(x: np.ndarray[Any, Any]) -> None:
    for dtype in WHOLE:
        codes, reading = quantize(x, dtype)
        assert reading is not None
        step = reading.scale[:, None]
        error = np.abs(dequantize(codes, reading) - x)
        assert (error <= step * 0.501 + 1e-6 * np.abs(x).max()).all()


@given(rows)
def test_bits_are_signs_and_are_read_at_the_mean_size(x: np.ndarray[Any, Any]) -> None:
    codes, reading = quantize(x, D.BINARY)
    read = dequantize(codes, reading, dimensions=x.shape[1])
    sizes = np.abs(x).astype(np.float64).mean(axis=1)
    np.testing.assert_allclose(np.abs(read), np.repeat(sizes[:, None], x.shape[1], 1), rtol=1e-5)
    assert ((read > 0) == (x > 0))[sizes > 0].all()


@given(rows, st.sampled_from([*WHOLE, *PACKED]))
def test_a_row_is_coded_by_itself(x: np.ndarray[Any, Any], dtype: EmbeddingDtype) -> None:
    codes, _ = quantize(x, dtype)
    for row, code in zip(x, codes, strict=True):
        np.testing.assert_array_equal(quantize(row[None], dtype)[0][0], code)


@pytest.mark.parametrize("dtype", [*WHOLE, *PACKED])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_failed_row_has_no_scale_and_harms_no_other(dtype: EmbeddingDtype, bad: float) -> None:
    x = np.vstack([X, X])
    x[1, 2:] = bad
    codes, reading = quantize(x, dtype)
    assert reading is not None
    np.testing.assert_array_equal(codes[:1], quantize(X, dtype)[0])
    if dtype in WHOLE:
        assert not codes[1].any()
    assert np.isfinite([reading.scale[0], reading.zero[0]]).all()
    assert np.isnan([reading.scale[1], reading.zero[1]]).all()


def test_one_vector_is_read_as_well_as_many() -> None:
    codes, reading = quantize(X, D.INT8)
    assert reading is not None
    one = Quantization(scale=reading.scale[0], zero=reading.zero[0])
    np.testing.assert_array_equal(dequantize(codes[0], one), dequantize(codes, reading)[0])


def test_no_rows_are_no_problem() -> None:
    for dtype in D:
        codes, reading = quantize(np.zeros((0, 9), np.float32), dtype)
        assert len(codes) == 0
        assert reading is None or len(reading.scale) == 0


@pytest.mark.parametrize("dimensions", [8, 17])
def test_dimensions_must_fit_the_bytes(dimensions: int) -> None:
    codes, reading = quantize(X, D.BINARY)
    with pytest.raises(InvalidInput, match=f"dimensions={dimensions}"):
        dequantize(codes, reading, dimensions=dimensions)


def test_a_scale_for_each_row_is_needed() -> None:
    codes, reading = quantize(np.vstack([X, X]), D.INT8)
    with pytest.raises(InvalidInput, match="quantization of 2 rows was given for 1 rows"):
        dequantize(codes[:1], reading)
