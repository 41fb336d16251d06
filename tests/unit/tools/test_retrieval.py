from __future__ import annotations

import numpy as np
import pytest
from retrieval import Retrieval, build, ndcg
from sklearn.metrics import ndcg_score


def ranked(*grades: int, judged: dict[str, int]) -> float:
    """The measure of one query whose documents come in the order of their ids."""
    names = [f"d{index}" for index in range(len(grades))]
    relevant = {name: grade for name, grade in zip(names, grades, strict=True) if grade} | judged
    documents = dict.fromkeys([*names, *judged], "")
    scores = -np.arange(len(documents), dtype=float)[:, None]
    task = Retrieval({"q": ""}, documents, {"q": relevant})
    return float(ndcg(task, np.ones((1, 1)), scores)[0])


def test_a_perfect_ranking_is_worth_one() -> None:
    assert ranked(2, 1, 0, judged={}) == pytest.approx(1)


def test_a_relevant_document_counts_less_further_down() -> None:
    assert ranked(0, 1, judged={}) == pytest.approx(1 / np.log2(3))
    assert ranked(*[0] * 10, 1, judged={}) == 0


def test_the_measure_is_that_of_a_public_library() -> None:
    rng = np.random.default_rng(0)
    queries, documents = rng.normal(size=(20, 8)), rng.normal(size=(60, 8))
    grades = rng.choice(4, p=[0.8, 0.1, 0.05, 0.05], size=(20, 60))
    grades[:, 0] = 1
    task = Retrieval(
        {f"q{row}": "" for row in range(20)},
        {f"d{column}": "" for column in range(60)},
        {f"q{row}": {f"d{i}": int(g) for i, g in enumerate(grades[row])} for row in range(20)},
    )
    found = ndcg(task, queries, documents)
    assert found.mean() == pytest.approx(ndcg_score(grades, queries @ documents.T, k=10))


def test_a_set_is_consistent_and_the_same_each_time() -> None:
    task = build(40)
    assert task == build(40)
    assert len(task.queries) == 40
    assert len(set(task.documents.values())) == len(task.documents) >= 40
    assert list(task.relevant) == list(task.queries)
    assert {name for grades in task.relevant.values() for name in grades} == set(task.documents)
    assert all(len(text.split()) <= 80 for text in task.documents.values())
