"""Arithmetic on vectors against the functions of sentence-transformers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sentence_transformers import quantize_embeddings, util
from sentence_transformers.multi_vector_encoder.modules import HierarchicalTokenPooling

from stelae.types import EmbeddingDtype
from stelae.vectors.maxsim import maxsim_batch
from stelae.vectors.pooling import pool
from stelae.vectors.quantize import quantize
from stelae.vectors.similarity import cosine, dot

Floats = NDArray[np.float32]


def vectors(count: int, seed: int, width: int = 32) -> Floats:
    found = np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_late_interaction() -> None:
    queries = [vectors(n, n) for n in (1, 7, 32)]
    documents = [vectors(n, 100 + n) for n in (1, 2, 50, 300)]
    expected = util.maxsim(list(map(torch.tensor, queries)), list(map(torch.tensor, documents)))
    np.testing.assert_allclose(maxsim_batch(queries, documents), expected, atol=2e-5)


def test_dense_similarities() -> None:
    a, b = 3 * vectors(5, 1), vectors(4, 2) / 7
    np.testing.assert_allclose(dot(a, b), util.dot_score(a, b), atol=1e-6)
    np.testing.assert_allclose(cosine(a, b), util.cos_sim(a, b), atol=1e-6)


def test_packed_bits() -> None:
    rows = vectors(6, 3, width=40)
    for dtype in (EmbeddingDtype.BINARY, EmbeddingDtype.UBINARY):
        codes, _ = quantize(rows, dtype)
        np.testing.assert_array_equal(codes, quantize_embeddings(rows, "ubinary"))


@pytest.mark.parametrize("protected", [0, 1, 3])
@pytest.mark.parametrize("factor", [2, 3, 7])
@pytest.mark.parametrize("count", [2, 5, 33, 180])
def test_token_pooling(count: int, factor: int, protected: int) -> None:
    reference = HierarchicalTokenPooling(factor, num_protected_tokens=protected)
    rows = vectors(count, 7 * count + factor)
    expected = reference.pool_one(torch.tensor(rows)).numpy()
    found = pool(rows, factor, protected=protected)
    np.testing.assert_array_equal(found[:protected], expected[:protected])
    # The groups come in another order there.
    assert found.shape == expected.shape
    distances = np.abs(found[:, None] - expected[None]).max(axis=2)
    assert (distances.min(axis=0) < 1e-6).all()
    assert (distances.min(axis=1) < 1e-6).all()
