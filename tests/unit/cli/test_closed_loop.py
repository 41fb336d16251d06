"""The arithmetic of ``stelae bench``."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from stelae.cli.closed_loop import Tally, batches, figures_of, levels, row, texts
from stelae.errors import InvalidInput


def test_figures_are_rates_and_percentiles() -> None:
    tally = Tally([float(n) for n in range(1, 101)], 200, 1000, Counter(queue_full=3))
    figures = figures_of(tally, 4, 2.0)
    assert (figures.requests_per_s, figures.texts_per_s, figures.tokens_per_s) == (50, 100, 500)
    assert (figures.p50_ms, figures.p90_ms, figures.p99_ms) == (50.5, 90.1, 99.01)
    assert (figures.max_ms, figures.failures) == (100, {"queue_full": 3})
    assert row(figures)["failed"] == 3


def test_nothing_answered_is_zero() -> None:
    figures = figures_of(Tally(), 1, 1.0)
    assert (figures.requests, figures.p99_ms, figures.failures) == (0, 0, {})


def test_levels_are_counts() -> None:
    assert levels("1, 16,64") == [1, 16, 64]


@pytest.mark.parametrize("text", ["", "0", "1,", "a", "-1", "1.5"])
def test_other_levels_are_wrong_usage(text: str) -> None:
    with pytest.raises(InvalidInput) as wrong:
        levels(text)
    assert wrong.value.param == "concurrency"


def test_last_batch_is_filled_up() -> None:
    assert batches(["a", "b", "c"], 2) == [["a", "b"], ["c", "a"]]
    assert batches(["a"], 3) == [["a", "a", "a"]]


def test_texts_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "texts"
    path.write_text("a\n\nb\n")
    assert texts(path, "mixed") == ["a", "b"]
    path.write_text("\n")
    with pytest.raises(InvalidInput, match="no line has a text"):
        texts(path, "mixed")
