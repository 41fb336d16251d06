"""Texts that commands bring along."""

from __future__ import annotations

import numpy as np
import pytest

from stelae.cli import samples


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
