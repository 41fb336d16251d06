"""The cheapest way through tokens and sound."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from stelae.engines.listening.aligning import ticks_of, walk


def cheapest(cost: NDArray[np.float64]) -> float:
    """Of all ways, by trying each."""

    @cache
    def total(i: int, j: int) -> float:
        if i < 0 or j < 0:
            return np.inf
        before = 0.0 if i == j == 0 else min(total(i - 1, j - 1), total(i - 1, j), total(i, j - 1))
        return float(cost[i, j]) + before

    return total(cost.shape[0] - 1, cost.shape[1] - 1)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 1), (4, 9), (9, 4), (12, 30)])
def test_no_way_is_cheaper(shape: tuple[int, int]) -> None:
    cost = np.random.default_rng(sum(shape)).normal(size=shape)
    steps = walk(cost)
    assert steps[0] == (0, 0)
    assert steps[-1] == (shape[0] - 1, shape[1] - 1)
    assert sum(cost[step] for step in steps) == pytest.approx(cheapest(cost))
    moves = {(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(steps)}
    assert moves <= {(0, 1), (1, 0), (1, 1)}


def test_tokens_begin_where_they_looked() -> None:
    begins = [0, 0, 20, 35, 60]  # a mark before the text, three tokens, and its end
    attention = np.full((2, 6, 100), 1e-3, np.float32)
    for row, (start, end) in enumerate(zip(begins, [*begins[1:], 80], strict=True)):
        attention[:, row + 1, start:end] = 1.0
    attention[:, 1, :5] = 1.0
    attention[:, 0] = attention[:, 5] = 1.0  # those that do not count look everywhere
    found = ticks_of(attention, 1, 80)
    assert found[0] == 0
    assert found == sorted(found)
    assert len(found) == 4
