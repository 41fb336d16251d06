"""Scores of documents, and what is said of items that cannot be scored."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from stelae.catalog.abilities import Classify, YesNo
from stelae.catalog.catalog import Catalog
from stelae.catalog.spec import ModelSpec
from stelae.engines.base import Prepared
from stelae.engines.text.features import Output
from stelae.engines.text.intake import Intake
from stelae.engines.text.score import ScoreJob, score_job
from stelae.engines.text.tokenizer import NoTokenizer
from stelae.errors import InvalidInput
from stelae.types import Item, ScoreCall, Similarity


def spec() -> ModelSpec:
    return Catalog().spec("default")


def job_of(spec: ModelSpec, query: Item, documents: list[Item]) -> ScoreJob:
    call = ScoreCall(model="m", query=query, documents=documents)
    return score_job(call, Intake(spec, NoTokenizer()), "")


@pytest.mark.parametrize("similarity", [None, Similarity.COSINE, Similarity.DOT])
def test_scores_of_unit_vectors_are_no_cosines_beyond_one(similarity: Similarity | None) -> None:
    """Every vector against itself and against its opposite; rounding alone would pass 1."""
    unit = msgspec.structs.replace(spec(), similarity=similarity)
    assert unit.normalized
    vectors = np.random.default_rng(1).standard_normal((200, 384), np.float32)
    found = []
    for vector in vectors:
        job = job_of(unit, Item(text="q"), [Item(text="d")] * 2)
        rows = [Output(dense=sign * vector) for sign in (1, 1, -1)]
        prepared = [Prepared(None, row=row) for row in rows]
        found.append(job.finish(prepared, rows).scores)
    scores = np.array(found)
    assert np.abs(scores).max() <= 1
    np.testing.assert_allclose(scores, [[1, -1]] * len(scores), atol=1e-6)


@pytest.mark.parametrize("scoring", [Classify(labels=("fits",)), YesNo(yes=1)])
def test_instruction_without_a_place_is_refused_whatever_the_settings_say(
    scoring: Classify | YesNo,
) -> None:
    told = msgspec.structs.replace(spec(), scoring=scoring, instruction="Do: {instruction}")
    call = ScoreCall(model="m", query=Item(text="q"), documents=[], instruction="find")
    with pytest.raises(InvalidInput, match="no place for an instruction"):
        score_job(call, Intake(told, NoTokenizer()), "")


@pytest.mark.parametrize(
    ("item", "given"),
    [
        (Item(image=b"x"), "image"),
        (Item(pixels=np.zeros((2, 2), np.uint8)), "pixels"),
        (Item(token_ids=[1]), "token_ids"),
        (Item(multivector=np.zeros((1, 2), np.float32)), "multivector"),
    ],
)
def test_model_that_is_asked_in_words_says_what_it_was_given(item: Item, given: str) -> None:
    asked = msgspec.structs.replace(spec(), scoring=YesNo(yes=1))
    (entry,) = job_of(asked, Item(text="q"), [item]).prepare(0, 1)
    assert str(entry.error).endswith(f"give text; the item has {given}")
