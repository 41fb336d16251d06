from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stelae.client import Score, Scores
from stelae.errors import InvalidInput
from stelae.types import Usage


def scores_of(values: Any, labels: tuple[str, ...] = (), **more: Any) -> Scores:
    scores = np.array(values, np.float32)
    size = len(scores)
    return Scores(
        scores=scores,
        labels=labels,
        tokens=np.full(size, 3, np.int32),
        truncated=np.arange(size) == 1,
        model="toy",
        fingerprint="f00d",
        usage=Usage(tokens=3 * size),
        ids=[f"d{n}" for n in range(size)],
        metadata=[{"page": n} for n in range(size)],
        **more,
    )


FAILED = scores_of([0.5, np.nan, 2.0, 0.5], errors={1: InvalidInput("no")})
LABELLED = scores_of(
    [[0.1, 0.7, 0.2], [0.6, 0.3, 0.1], [0.0, 0.1, 0.9]], ("against", "for", "neither")
)


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=30), st.integers(1, 40))
def test_ranking_is_the_stable_order_of_the_best(values: list[float], top_k: int) -> None:
    expected = sorted(range(len(values)), key=lambda n: -values[n])
    assert scores_of(values).order().tolist() == expected
    assert [row.index for row in scores_of(values).ranked(top_k)] == expected[:top_k]


def test_rows_say_which_document_they_are_of() -> None:
    row = FAILED[2]
    assert isinstance(row, Score)
    assert (row.index, row.score, row.id, row.metadata) == (2, 2.0, "d2", {"page": 2})
    assert (row.label, row.error) == (None, None)
    assert [each.index for each in FAILED] == [0, 1, 2, 3]
    assert [each.index for each in FAILED[1:3]] == [1, 2]
    assert len(FAILED) == 4
    with pytest.raises(IndexError):
        FAILED[4]


def test_failed_documents_are_not_ranked() -> None:
    assert FAILED.order().tolist() == [2, 0, 3]
    assert FAILED[1].error is FAILED.errors[1]
    assert np.isnan(FAILED[1].score)


def test_infinite_scores_keep_their_place() -> None:
    assert scores_of([0.0, np.inf, -np.inf]).order().tolist() == [1, 0, 2]


def test_document_of_several_labels_has_its_highest() -> None:
    assert [(row.label, round(row.score, 3)) for row in LABELLED] == [
        ("for", 0.7),
        ("against", 0.6),
        ("neither", 0.9),
    ]
    assert LABELLED.order().tolist() == [2, 0, 1]


def test_label_may_be_chosen() -> None:
    assert LABELLED.order(label="for").tolist() == [0, 1, 2]
    best = LABELLED.ranked(1, label="against")[0]
    assert (best.index, best.label, round(best.score, 3)) == (1, "against", 0.6)


def test_failed_document_of_several_labels_has_none() -> None:
    failed = scores_of([[np.nan, np.nan], [0.0, 1.0]], ("no", "yes"), errors={0: InvalidInput("")})
    assert failed.order().tolist() == failed.order(label="no").tolist() == [1]
    assert failed[0].label is None


@pytest.mark.parametrize("top_k", [0, -1, 1.0, True, "3"])
def test_wrong_count_is_refused_by_name(top_k: Any) -> None:
    with pytest.raises(InvalidInput, match=f"top_k={top_k!r}"):
        FAILED.ranked(top_k)


def test_unknown_label_is_refused_with_those_there_are() -> None:
    with pytest.raises(InvalidInput, match="'against', 'for', 'neither'"):
        LABELLED.order(label="fro")
    with pytest.raises(InvalidInput, match="no labels"):
        FAILED.order(label="for")


def test_numpy_takes_them_as_an_array() -> None:
    assert np.asarray(FAILED) is FAILED.scores
    assert np.asarray(LABELLED, dtype=np.float64).shape == (3, 3)


def test_repr_is_short_and_says_what_matters() -> None:
    assert repr(FAILED) == "Scores(4 documents, model='toy', 12 tokens, 1 truncated, 1 failed)"
    assert repr(LABELLED) == "Scores(3 documents x 3 labels, model='toy', 9 tokens, 1 truncated)"
