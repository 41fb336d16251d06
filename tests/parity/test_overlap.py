"""A trained reranker, which knows overlap, finds the right document, through the whole engine.

Its weights are made by ``tools/tiny/train/overlap.py``.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sentence_transformers import CrossEncoder
from tiny.overlap import Group, group

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.engines import registry
from stelae.engines.base import Device, EngineOptions
from stelae.scheduler.runner import Runner
from stelae.types import ComputeDtype, Item, ScoreCall

FOLDER = Path(__file__).parents[1] / "data" / "overlap-reranker"

SEED = 78
"""Other groups than those of the training."""


@pytest.fixture(scope="module", params=[ComputeDtype.FLOAT32, ComputeDtype.BFLOAT16])
def runner(request: pytest.FixtureRequest) -> Iterator[Runner]:
    spec = Catalog([ModelEntry(name="overlap", source=str(FOLDER))]).spec("overlap")
    options = EngineOptions(dtype=request.param, device=Device.CPU, threads=1)
    runner = Runner(registry.load(registry.choose(spec, "encoder").manifest, spec, options))
    yield runner
    runner.close()


@pytest.fixture(scope="module")
def groups() -> list[Group]:
    rng = random.Random(SEED)
    return [group(rng) for _ in range(50)]


def scores(runner: Runner, one: Group) -> NDArray[np.float32]:
    documents = [Item(text=text) for text in one.documents]
    call = ScoreCall(model="overlap", query=Item(text=one.query), documents=documents)
    result = runner.submit(call).result(60)
    assert result.errors == {}
    found: NDArray[np.float32] = result.scores
    return found


def test_the_document_that_shares_most_words_comes_first(
    runner: Runner, groups: list[Group]
) -> None:
    right = sum(scores(runner, one).argmax() == np.argmax(one.shares) for one in groups)
    assert right >= 45


def test_the_order_of_all_documents_follows_the_words_they_share(
    runner: Runner, groups: list[Group]
) -> None:
    pairs = [
        (found[i] > found[j]) == (one.shares[i] > one.shares[j])
        for one in groups
        for found in [scores(runner, one)]
        for i in range(len(found))
        for j in range(i)
    ]
    assert np.mean(pairs) >= 0.9


@pytest.mark.parametrize("runner", [ComputeDtype.FLOAT32], indirect=True)
def test_scores_are_those_of_the_library(runner: Runner, groups: list[Group]) -> None:
    model = CrossEncoder(str(FOLDER), device="cpu", local_files_only=True)
    for one in groups:
        expected = model.predict([(one.query, document) for document in one.documents])
        np.testing.assert_allclose(scores(runner, one), expected, atol=1e-5)
