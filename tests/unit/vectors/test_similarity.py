from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stelae.errors import InvalidInput
from stelae.types import EmbeddingDtype, Sparse
from stelae.vectors.quantize import quantize
from stelae.vectors.similarity import (
    cosine,
    dot,
    hamming_similarity,
    sparse_dot,
    sparse_scores,
)

A = np.array([[1.0, 2.0, 2.0], [0.0, 3.0, 4.0]], np.float32)
B = np.array([[2.0, 1.0, -2.0]], np.float32)


def test_dot_and_cosine_of_vectors_written_out() -> None:
    # |A| = 3 and 5, |B| = 3
    np.testing.assert_allclose(dot(A, B), [[0], [-5]])
    np.testing.assert_allclose(cosine(A, B), [[0], [-1 / 3]], rtol=1e-6)


@pytest.mark.parametrize("function", [dot, cosine])
def test_a_side_that_is_one_vector_has_no_axis(function: Any) -> None:
    whole = function(A, A)
    assert whole.shape == (2, 2)
    assert whole.dtype == np.float32
    np.testing.assert_array_equal(function(A[0], A), whole[0])
    np.testing.assert_array_equal(function(A, A[1]), whole[:, 1])
    assert function(A[0], A[1]).shape == ()
    assert float(function(A[0], A[1])) == whole[0, 1]


@given(st.integers(1, 40), st.integers(0, 2**32 - 1), st.floats(-38, 38))
def test_cosine_knows_directions_only(width: int, seed: int, exponent: float) -> None:
    a, b = np.random.default_rng(seed).normal(size=(2, width))
    expected = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    scaled = (np.float64(10.0) ** (exponent - 3) * a).astype(np.float32)
    found = cosine(scaled, b)
    assert abs(found) <= 1
    if exponent > -30:  # below, float32 itself has few digits
        np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_array_equal(cosine(b, scaled), found)


def test_nothing_is_like_zeros() -> None:
    np.testing.assert_array_equal(cosine(np.zeros((1, 3)), np.vstack([A, np.zeros(3)])), [[0] * 3])


def test_sums_are_float32_for_small_formats() -> None:
    ones = np.full(4096, 100, np.int8)
    assert float(dot(ones, ones)) == 4096 * 100 * 100
    assert float(dot(ones.astype(np.float16), ones.astype(np.float16))) == 4096 * 100 * 100


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (A, B[:, :2], "a is 3 wide and b 2"),
        (A, [[np.nan, 1, 1]], "b holds NaN or infinity"),
        ([np.inf], [1], "a holds NaN or infinity"),
        ([], [], r"a has shape \(0,\)"),
        (1.0, A, r"a has shape \(\)"),
        (A, A[None], r"b has shape \(1, 2, 3\)"),
        (np.uint8([1, 2, 3]), A, "uint8 codes.*dequantize"),
        (["x"], A, "a holds <U1"),
    ],
)
def test_bad_vectors_are_named(a: Any, b: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        dot(a, b)
    with pytest.raises(InvalidInput, match=message):
        cosine(a, b)


terms = st.lists(st.tuples(st.integers(0, 12), st.floats(-8, 8, width=16)), max_size=12)


def dense(pairs: list[tuple[int, float]]) -> np.ndarray[Any, Any]:
    vector = np.zeros(13)
    for index, value in pairs:
        vector[index] += value
    return vector


def split(pairs: list[tuple[int, float]]) -> tuple[list[int], list[float]]:
    return [index for index, _ in pairs], [value for _, value in pairs]


@given(terms, st.lists(terms, max_size=5))
def test_sparse_products_are_those_of_the_dense_vectors(
    query: list[tuple[int, float]], documents: list[list[tuple[int, float]]]
) -> None:
    expected = [dense(query) @ dense(document) for document in documents]
    pairs = [split(document) for document in documents]
    scores = sparse_scores(split(query), pairs)
    np.testing.assert_allclose(scores, expected, rtol=1e-6, atol=1e-6)
    column = Sparse(
        indices=np.array([i for document in documents for i, _ in document], np.int32),
        values=np.array([v for document in documents for _, v in document], np.float32),
        offsets=np.cumsum([0, *map(len, documents)]),
    )
    np.testing.assert_array_equal(sparse_scores(split(query), column), scores)
    for pair, score in zip(pairs, scores, strict=True):
        assert sparse_dot(split(query), pair) == score
        assert sparse_dot(pair, split(query)) == pytest.approx(score, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        (([1, 2], [1.0]), "one value for each index"),
        (([[1]], [[1.0]]), "one value for each index"),
        (([-1], [1.0]), "whole numbers from 0 on"),
        (([0.5], [1.0]), "whole numbers from 0 on"),
        (([1], [np.nan]), "holds NaN"),
        (([1], ["a"]), "not numbers"),
    ],
)
def test_bad_terms_are_named(pair: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        sparse_dot(pair, ([1], [1.0]))
    with pytest.raises(InvalidInput, match=message):
        sparse_scores(([1], [1.0]), [pair])


def test_offsets_must_fit_the_terms() -> None:
    column = Sparse(indices=np.array([1]), values=np.array([1.0]), offsets=np.array([0, 2]))
    with pytest.raises(InvalidInput, match="offsets of documents"):
        sparse_scores(([1], [1.0]), column)


@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_equal_bits_stand_for_the_product_of_signs(width: int, seed: int) -> None:
    rows = np.random.default_rng(seed).normal(size=(5, width)).astype(np.float32)
    codes, _ = quantize(rows, EmbeddingDtype.BINARY)
    signs = np.where(rows > 0, 1, -1)
    shares = hamming_similarity(codes[:2], codes[2:], dimensions=width)
    np.testing.assert_allclose(2 * width * shares - width, signs[:2] @ signs[2:].T, atol=1e-4)
    signed = (codes.astype(np.int16) - 128).astype(np.int8)
    np.testing.assert_array_equal(
        hamming_similarity(signed[:2], signed[2:], dimensions=width), shares
    )
    assert hamming_similarity(codes[0], codes[0], dimensions=width) == 1


@pytest.mark.parametrize(
    ("a", "b", "dimensions", "message"),
    [
        (np.uint8([1]), np.uint8([1, 2]), None, "a is 1 wide and b 2"),
        (np.uint8([1]), [1.0], None, "b holds float64"),
        (np.uint8([1, 1]), np.uint8([1, 2]), 8, "dimensions=8 do not fill 2 bytes"),
        (np.uint8([1, 1]), np.uint8([1, 2]), 17, "dimensions=17 do not fill 2 bytes"),
    ],
)
def test_bad_bits_are_named(a: Any, b: Any, dimensions: int | None, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        hamming_similarity(a, b, dimensions=dimensions)
