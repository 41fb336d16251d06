"""How near a model in one number format comes to the same in float32, and how fast it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median

import numpy as np
from numpy.typing import NDArray

from stelae.engines.calibration import NEAREST
from stelae.engines.text.features import Features, Output

TOKENS = 4096
"""Most of a batch, unless a single text has more."""

Vectors = NDArray[np.float32]
Run = Callable[[Sequence[Features]], Sequence[Output]]
"""From texts ready to run to what a model makes of them."""


def batches(texts: Sequence[Features]) -> list[list[Features]]:
    """Texts in their order, as many together as have ``TOKENS`` tokens."""
    made: list[list[Features]] = []
    tokens = TOKENS
    for text in texts:
        tokens += len(text.ids)
        if tokens > TOKENS:
            made.append([])
            tokens = len(text.ids)
        made[-1].append(text)
    return made


def vectors(run: Run, texts: Sequence[Features]) -> Vectors:
    """Dense vectors of unit length, shape ``(N, D)``."""
    outputs = [output for batch in batches(texts) for output in run(batch)]
    rows = np.stack([output.dense for output in outputs if output.dense is not None])
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, np.finfo(np.float32).tiny), np.float32)


def cosines(ours: Vectors, theirs: Vectors) -> Vectors:
    """Of each two rows of unit length, shape ``(N,)``."""
    return np.asarray((ours * theirs).sum(axis=1), np.float32)


def agreement(ours: Vectors, theirs: Vectors, count: int = NEAREST) -> float:
    """How many of the texts nearest to one are the same by both, from 0 to 1, in the mean.

    Args:
        ours: Of unit length, shape ``(N, D)``.
        theirs: Of the same texts.
        count: How many neighbours; ``N`` is greater.
    """
    pairs = zip(_nearest(ours, count), _nearest(theirs, count), strict=True)
    return float(np.mean([len({*one} & {*other}) / count for one, other in pairs]))


def _nearest(rows: Vectors, count: int) -> NDArray[np.int64]:
    likeness = rows @ rows.T
    np.fill_diagonal(likeness, -np.inf)
    return np.asarray(np.argpartition(-likeness, count - 1, axis=1)[:, :count], np.int64)


def rates(
    one: Run, other: Run, texts: Sequence[Features], rounds: int
) -> tuple[float, float, float]:
    """Tokens per second of two models that take turns.

    Args:
        one: A model.
        other: Another one.
        texts: What both run.
        rounds: How often, after a first time that does not count.

    Returns:
        The best rates of both, and the middle of the ratios of the first to the second, by rounds.
    """
    parts = batches(texts)
    tokens = sum(len(text.ids) for text in texts)
    taken = [(_seconds(one, parts), _seconds(other, parts)) for _ in range(rounds + 1)][1:]
    best, best_other = (tokens / min(times) for times in zip(*taken, strict=True))
    return best, best_other, median(theirs / ours for ours, theirs in taken)


def _seconds(run: Run, parts: Sequence[Sequence[Features]]) -> float:
    began = time.perf_counter()
    for part in parts:
        run(part)
    return time.perf_counter() - began
