from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from stelae.errors import InvalidInput
from stelae.types import Ragged
from stelae.vectors.pooling import pool, pool_all

Floats = NDArray[np.float32]


def unit(rows: Any) -> Floats:
    rows = np.asarray(rows, np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def tokens(count: int, seed: int = 0, width: int = 8) -> Floats:
    return unit(np.random.default_rng(seed).normal(size=(count, width)))


def test_bundles_of_directions_become_their_means() -> None:
    rng = np.random.default_rng(1)
    bundles = np.repeat(np.eye(6), [1, 2, 3, 4, 5, 9], axis=0)
    vectors = unit(bundles + 0.01 * rng.normal(size=bundles.shape))
    order = rng.permutation(len(vectors))
    pooled = pool(vectors[order], 4, protected=0)
    owner = np.array([0, *[1] * 2, *[2] * 3, *[3] * 4, *[4] * 5, *[5] * 9])[order]
    # 24 vectors leave 6 groups: the bundles, in the order in which they begin.
    begins = sorted(range(6), key=lambda bundle: int(np.argmax(owner == bundle)))
    expected = [vectors[order][owner == bundle].mean(axis=0) for bundle in begins]
    np.testing.assert_allclose(pooled, expected, atol=1e-6)


@given(st.integers(0, 60), st.integers(1, 9), st.integers(0, 3), st.integers(0, 999))
def test_the_number_of_vectors_left_is_known(
    count: int, factor: int, protected: int, seed: int
) -> None:
    vectors = tokens(count, seed)
    pooled = pool(vectors, factor, protected=protected)
    rest = max(count - protected, 0)
    assert len(pooled) == min(count, protected) + (max(rest // factor, 1) if rest else 0)
    np.testing.assert_array_equal(pooled[:protected], vectors[:protected])


@given(st.integers(2, 60), st.integers(2, 9), st.integers(0, 999))
def test_every_token_counts_once(count: int, factor: int, seed: int) -> None:
    vectors = tokens(count, seed)
    # One number of each vector is 1, so that means of groups of n are found by their sums.
    marked = np.hstack([vectors, np.ones((count, 1), np.float32)])
    pooled = pool(marked, factor, protected=0)
    np.testing.assert_allclose(pooled[:, -1], 1, rtol=1e-6)
    assert (np.abs(pooled).max(axis=0) <= np.abs(marked).max(axis=0) + 1e-6).all()


def test_order_of_tokens_decides_the_order_of_groups_only() -> None:
    vectors = tokens(50)
    backwards = pool(vectors[::-1], 3, protected=0)
    one, other = (rows[np.lexsort(rows.T)] for rows in (pool(vectors, 3, protected=0), backwards))
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_a_factor_of_one_changes_nothing() -> None:
    vectors = tokens(7)
    assert pool(vectors, 1) is vectors


def test_halves_are_added_up_in_float32() -> None:
    vectors = np.full((5000, 2), 60000, np.float16)
    pooled = pool(vectors[:3], 3, protected=0)
    assert pooled.dtype == np.float16
    np.testing.assert_array_equal(pooled, vectors[:1])


def test_packed_documents_are_pooled_one_by_one() -> None:
    documents = [tokens(9, 1), tokens(0), tokens(1, 2), tokens(20, 3)]
    packed = Ragged(values=np.concatenate(documents), offsets=np.cumsum([0, *map(len, documents)]))
    pooled = pool_all(packed, 3)
    parts = np.split(pooled.values, pooled.offsets[1:-1])
    for part, document in zip(parts, documents, strict=True):
        np.testing.assert_array_equal(part, pool(document, 3))


@pytest.mark.parametrize(
    ("vectors", "factor", "message"),
    [
        (np.ones((3, 2)), 0, "factor=0"),
        (np.ones(3), 2, r"shape \(3,\)"),
        (np.full((3, 2), np.nan), 2, "NaN"),
        (np.ones((3, 2), np.uint8), 2, "uint8 codes"),
    ],
)
def test_bad_input_is_named(vectors: Any, factor: int, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        pool(vectors, factor)
