"""When tokens are said, from how a model that wrote them looked at the sound.

Each token is given the stretch of sound that it looked at most, in order: of all ways to walk
through tokens and sound together, the one that sees most attention (dynamic time warping).

Source: Radford et al. 2022 (arXiv:2212.04356), ``whisper/timing.py`` of its code.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stelae.engines.listening.hearer import Aligned, Floats

SMOOTH = 7
"""Positions of the median that smooths attention."""

TICKS_PER_SECOND = 50

Matrix = NDArray[np.float64]


def ticks_of(attention: Floats, before: int, ticks: int) -> list[int]:
    """The tick at which each token begins, and the one at which the last ends.

    Args:
        attention: Of each head, token and tick: shape (heads, tokens, ticks); the last token is
            the end of the text.
        before: Tokens before the one that stands in front of the text.
        ticks: Length of the sound.
    """
    seen = attention[:, :, : max(ticks, 1)].astype(np.float64)
    seen /= np.maximum(seen.sum(-1, keepdims=True), TINY)
    spread = seen.std(-2, keepdims=True)
    plain = (seen - seen.mean(-2, keepdims=True)) / np.maximum(spread, TINY)
    mean = _smoothed(plain).mean(0)
    return _starts(walk(-mean[before:-1]))


TINY = 1e-12


def aligned_at(ticks: list[int], probabilities: list[float]) -> Aligned:
    """Ticks as seconds."""
    return Aligned([tick / TICKS_PER_SECOND for tick in ticks], probabilities)


def _smoothed(rows: Matrix) -> Matrix:
    """The median of each position and its neighbours; shape as given, (..., ticks)."""
    side = SMOOTH // 2
    if rows.shape[-1] <= side:
        return rows
    wide = np.pad(rows, [(0, 0)] * (rows.ndim - 1) + [(side, side)], mode="reflect")
    near = np.lib.stride_tricks.sliding_window_view(wide, SMOOTH, axis=-1)
    return np.asarray(np.median(near, axis=-1))


def walk(cost: Matrix) -> list[tuple[int, int]]:
    """The cheapest way from the first row and column to the last, one step at a time.

    Args:
        cost: Shape (N, T).

    Returns:
        Row and column of each step.
    """
    rows, columns = cost.shape
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = 0.0
    for diagonal in range(2, rows + columns + 1):  # cells of a diagonal do not need each other
        i = np.arange(max(1, diagonal - columns), min(rows, diagonal - 1) + 1)
        j = diagonal - i
        best = np.minimum(total[i - 1, j - 1], np.minimum(total[i - 1, j], total[i, j - 1]))
        total[i, j] = cost[i - 1, j - 1] + best
    return _back(total)


def _back(total: Matrix) -> list[tuple[int, int]]:
    i, j = total.shape[0] - 1, total.shape[1] - 1
    steps = []
    while i > 0 and j > 0:
        steps.append((i - 1, j - 1))
        across, down, along = total[i - 1, j - 1], total[i - 1, j], total[i, j - 1]
        if across < down and across < along:
            i, j = i - 1, j - 1
        elif down < along:
            i -= 1
        else:
            j -= 1
    return steps[::-1]


def _starts(steps: list[tuple[int, int]]) -> list[int]:
    """The first column of each row."""
    first: dict[int, int] = {}
    for row, column in steps:
        first.setdefault(row, column)
    return [first[row] for row in sorted(first)]
