from __future__ import annotations

import pytest

from benchmarks.rerank import Found, distance, in_order, table


def test_scores_are_told_in_the_order_of_the_documents() -> None:
    best_first = [
        {"index": 2, "relevance_score": 0.9},
        {"index": 0, "relevance_score": 0.5},
        {"index": 1, "relevance_score": 0.1},
    ]
    assert in_order(best_first) == [0.5, 0.1, 0.9]


def test_a_document_without_a_score_is_an_error() -> None:
    with pytest.raises(KeyError):
        in_order([{"index": 1, "relevance_score": 0.5}])


def test_distance_is_the_largest_of_all_documents() -> None:
    assert distance([0.5, 0.25, 1.0], [0.5, 0.75, 0.875]) == 0.5


def test_other_numbers_of_scores_are_an_error() -> None:
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        distance([0.5, 0.5], [0.5])


def test_ratios_are_medians_round_by_round_and_above_one_where_better() -> None:
    base = Found(seconds=[2.0, 4.0, 9.0], cpu=[4.0, 4.0, 4.0], peak_mb=900.0, scores=[0.5, 0.5])
    ours = Found(seconds=[1.0, 1.0, 1.0], cpu=[1.0, 2.0, 8.0], peak_mb=300.0, scores=[0.5, 0.25])
    columns, rows = table({"CrossEncoder float32": base, "stelae float32": ours}, 100)
    assert columns[-1] == "x CrossEncoder"
    assert [row[-1] for row in rows] == ["1.00", "4.00"]
    assert rows[1][:4] == ["stelae float32", "100", "100-100", "1,000"]
    assert rows[1][4:7] == ["50", "300", "2e-01"]


def test_whoever_is_not_there_is_no_base() -> None:
    columns, _ = table({"CrossEncoder float32": Found([1.0], [1.0], 1.0, [0.5])}, 1)
    assert [column for column in columns if column.startswith("x ")] == ["x CrossEncoder"]
