"""Search through the running server is as good as through the reference library."""

from __future__ import annotations

import numpy as np
import pytest
from live import live
from retrieval import Retrieval, build, ndcg
from sentence_transformers import SentenceTransformer

from stelae import AsyncClient
from stelae.catalog.catalog import Catalog

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def task() -> Retrieval:
    return build(40)


async def test_retrieval_quality_is_that_of_the_reference(task: Retrieval) -> None:
    queries, documents = list(task.queries.values()), list(task.documents.values())
    async with live(models={}, dtype="float32") as server, AsyncClient(server.url) as client:
        asked = await client.encode(queries, role="query")
        held = await client.encode(documents, role="document")
    model = SentenceTransformer(Catalog().spec("default").folder, device="cpu")
    expected = ndcg(task, model.encode_query(queries), model.encode_document(documents))
    found = ndcg(task, asked.dense, held.dense)
    assert 0.4 < expected.mean() < 1, "a set that tells nothing apart proves nothing"
    assert abs(found.mean() - expected.mean()) <= 0.001
    np.testing.assert_allclose(found, expected, atol=1e-6)
