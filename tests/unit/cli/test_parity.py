"""The verdict of ``stelae verify``, on vectors made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from stelae.cli import samples
from stelae.cli.parity import TOLERANCES, Measured, compare, tolerance_of
from stelae.errors import InvalidInput


def measured(*rows: list[float], tokens: list[int] | None = None) -> Measured:
    vectors: NDArray[np.float32] = np.array(rows, np.float32)
    return Measured(
        vectors=vectors,
        tokens=np.array(tokens or [1] * len(rows), np.int32),
        engine="e",
        dtype="float32",
        fingerprint="f",
    )


EXACT = TOLERANCES["float32"]
COARSE = TOLERANCES["bfloat16"]


def test_same_vectors_agree() -> None:
    verdict = compare(measured([0.6, 0.8], [1, 0]), measured([0.6, 0.8], [1, 0]), EXACT)
    assert verdict.ok
    assert (verdict.difference, verdict.failed, verdict.tokens_differ) == (0, 0, 0)
    assert verdict.cosine == pytest.approx(1)


def test_difference_over_the_tolerance_fails_float32_only() -> None:
    ours, reference = measured([1, 0], [0.00001, 1]), measured([1, 0], [0, 1])
    assert not compare(ours, reference, EXACT).ok
    assert compare(ours, reference, COARSE).ok
    assert compare(ours, reference, EXACT).difference == pytest.approx(1e-5)


def test_worst_text_is_the_one_with_the_least_cosine() -> None:
    verdict = compare(measured([1, 0], [1, 1], [1, 0]), measured([1, 0], [1, 0], [1, 0]), COARSE)
    assert verdict.worst == 1
    assert verdict.cosine == pytest.approx(0.5**0.5)
    assert not verdict.ok


def test_difference_is_relative_to_the_length() -> None:
    verdict = compare(measured([1000, 0.001]), measured([1000, 0]), EXACT)
    assert verdict.difference == pytest.approx(1e-6)
    assert verdict.ok


def test_text_that_fails_on_one_side_fails_the_model() -> None:
    nan = float("nan")
    assert not compare(measured([1, 0], [nan, nan]), measured([1, 0], [0, 1]), EXACT).ok
    assert compare(measured([1, 0], [nan, nan]), measured([1, 0], [nan, nan]), EXACT).ok
    assert not compare(measured([nan, nan]), measured([nan, nan]), EXACT).ok


def test_other_tokens_are_counted() -> None:
    ours = measured([1, 0], [1, 0], tokens=[3, 4])
    assert compare(ours, measured([1, 0], [1, 0], tokens=[3, 5]), EXACT).tokens_differ == 1


def test_other_width_is_another_model() -> None:
    with pytest.raises(InvalidInput, match="different models"):
        compare(measured([1, 0]), measured([1, 0, 0]), EXACT)


def test_number_format_without_a_tolerance_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no tolerance"):
        tolerance_of("int4")


@pytest.mark.parametrize("count", [1, len(samples.ODD), 40])
def test_samples_are_as_many_as_asked_for_and_repeatable(count: int) -> None:
    texts = samples.varied(count, 256)
    assert len(texts) == count
    assert texts == samples.varied(count, 256)


def test_samples_include_empty_and_far_too_long_texts() -> None:
    texts = samples.varied(40, 256)
    assert "" in texts
    assert max(len(text.split()) for text in texts) > 512


@pytest.mark.parametrize(("kind", "median"), [("short", 10), ("passage", 134), ("mixed", 49)])
def test_plain_texts_have_their_lengths(kind: samples.Lengths, median: int) -> None:
    words = [len(text.split()) for text in samples.plain(501, kind)]
    assert float(np.median(words)) == pytest.approx(median, rel=0.15)
