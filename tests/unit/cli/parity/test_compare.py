"""How far two sides are apart, on numbers made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stelae.cli.parity.compare import COARSE, EXACT, UNIT, Verdict, compare, tolerance_of
from stelae.cli.parity.values import Kind, Rows, Value
from stelae.errors import InvalidInput


def rows(*values: Any, tokens: list[int] | None = None) -> Rows:
    made: list[Value] = [None if v is None else np.array(v, np.float32) for v in values]
    return Rows(values=made, tokens=tokens or [1] * len(made))


def terms(*values: dict[int, float]) -> Rows:
    made: list[Value] = [
        (np.array(list(v), np.int32), np.array(list(v.values()), np.float32)) for v in values
    ]
    return Rows(values=made, tokens=[1] * len(made))


def dense(ours: Rows, reference: Rows) -> Verdict:
    return compare(Kind.DENSE, ours, reference, UNIT)


def test_same_vectors_agree() -> None:
    verdict = dense(rows([0.6, 0.8], [1, 0]), rows([0.6, 0.8], [1, 0]))
    assert verdict.ok
    assert (verdict.compared, verdict.difference, verdict.failed, verdict.tokens_differ) == (
        2,
        0,
        0,
        0,
    )
    assert verdict.cosine == pytest.approx(1)


def test_difference_over_the_tolerance_fails_float32_only() -> None:
    ours, reference = rows([1, 0], [0.00001, 1]), rows([1, 0], [0, 1])
    assert not dense(ours, reference).ok
    assert compare(Kind.DENSE, ours, reference, COARSE).ok
    assert dense(ours, reference).difference == pytest.approx(1e-5)


def test_worst_text_is_the_one_with_the_least_cosine() -> None:
    verdict = dense(rows([1, 0], [1, 1], [1, 0]), rows([1, 0], [1, 0], [1, 0]))
    assert verdict.worst == 1
    assert verdict.cosine == pytest.approx(0.5**0.5)
    assert not verdict.ok


def test_difference_of_vectors_is_relative_to_the_length() -> None:
    verdict = dense(rows([1000, 0.001]), rows([1000, 0]))
    assert verdict.difference == pytest.approx(1e-6)
    assert verdict.ok


def test_text_that_fails_on_one_side_fails_the_model() -> None:
    assert not dense(rows([1, 0], None), rows([1, 0], [0, 1])).ok
    assert not dense(rows([1, 0], [0, 1]), rows([1, 0], None)).ok
    assert dense(rows([1, 0], None), rows([1, 0], None)).ok


def test_nothing_compared_is_no_agreement() -> None:
    assert not dense(rows(None), rows(None)).ok


def test_worst_index_counts_failed_texts() -> None:
    verdict = dense(rows(None, [1, 0], [0, 1]), rows(None, [1, 0], [1, 1]))
    assert verdict.worst == 2


def test_other_tokens_fail_the_model() -> None:
    ours, reference = rows([1, 0], tokens=[4]), rows([1, 0], tokens=[5])
    assert (dense(ours, reference).tokens_differ, dense(ours, reference).ok) == (1, False)


def test_other_width_is_another_model() -> None:
    with pytest.raises(InvalidInput, match="different models"):
        dense(rows([1, 0]), rows([1, 0, 0]))


def test_terms_of_one_side_only_count_as_zero_on_the_other() -> None:
    verdict = compare(Kind.SPARSE, terms({3: 2.0}), terms({3: 2.0, 7: 0.5}), EXACT)
    assert verdict.difference == pytest.approx(0.25)
    assert not verdict.ok


def test_weights_are_measured_by_the_greatest_of_all_texts() -> None:
    ours, reference = terms({1: 4.0}, {2: 0.000012}), terms({1: 4.0}, {2: 0.000011})
    assert compare(Kind.SPARSE, ours, reference, EXACT).difference == pytest.approx(2.5e-7)


def test_no_terms_on_both_sides_agree() -> None:
    assert compare(Kind.SPARSE, terms({}, {1: 1.0}), terms({}, {1: 1.0}), EXACT).ok
    assert not compare(Kind.SPARSE, terms({}, {1: 1.0}), terms({2: 1.0}, {1: 1.0}), EXACT).ok


def test_another_number_of_token_vectors_is_a_failure() -> None:
    ours, reference = rows([[1, 0], [0, 1]], [[1, 0]]), rows([[1, 0]], [[1, 0]])
    verdict = compare(Kind.MULTIVECTOR, ours, reference, EXACT)
    assert (verdict.failed, verdict.compared, verdict.ok) == (1, 1, False)


def test_every_token_vector_counts() -> None:
    ours, reference = rows([[1, 0], [1, 0]]), rows([[1, 0], [0, 1]])
    assert compare(Kind.MULTIVECTOR, ours, reference, COARSE).cosine == pytest.approx(0)


@pytest.mark.parametrize("kind", [Kind.SCORES, Kind.LOGITS])
def test_scores_are_measured_by_the_greatest_and_by_one_cosine(kind: Kind) -> None:
    ours, reference = rows([10.0], [-0.5]), rows([10.0], [0.5])
    verdict = compare(kind, ours, reference, COARSE)
    assert verdict.difference == pytest.approx(0.1)
    assert verdict.cosine == pytest.approx((100 - 0.25) / (100 + 0.25))
    assert verdict.worst == 1
    assert not verdict.ok


def test_scores_may_have_several_labels() -> None:
    assert compare(Kind.SCORES, rows([0.2, 0.8]), rows([0.2, 0.8]), EXACT).ok


def test_tolerance_is_strictest_for_dense_vectors_of_unit_length() -> None:
    strict = tolerance_of(Kind.DENSE, "float32", unit=True).difference
    assert strict is not None
    for kind in Kind:
        other = tolerance_of(kind, "float32", unit=False).difference
        assert other is not None
        assert strict < other <= 1e-5


def test_tolerance_of_bfloat16_is_a_cosine() -> None:
    for kind in Kind:
        found = tolerance_of(kind, "bfloat16", unit=True)
        assert found.difference is None
        assert found.cosine >= 0.999


def test_number_format_without_a_tolerance_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no tolerance"):
        tolerance_of(Kind.DENSE, "int4", unit=True)
