"""Scores of places, or of the ends of places, to places.

Source: gliner 0.2.24, ``decoding/decoder.py``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stelae.engines.extract.spans import Ints
from stelae.engines.gliner.features import Asked

Scores = NDArray[np.float32]
Places = tuple[Ints, Ints, Ints, Scores]
"""First words, last words, labels and scores, each of shape ``(N,)``."""


def read_places(scores: Scores, words: int, asked: Asked) -> Places:
    """Places above the threshold, of models that score every place.

    Args:
        scores: By first word, words after it, and label, shape ``(W, K, C)``.
        words: Words of the text; more are padding.
        asked: What is looked for.

    Returns:
        Them, by first word, last word and label.
    """
    real = scores[:words, :, : len(asked.labels)]
    firsts, more, kinds = np.nonzero(real > asked.threshold)
    inside = firsts + more < words
    firsts, more, kinds = firsts[inside], more[inside], kinds[inside]
    return firsts, firsts + more, kinds, real[firsts, more, kinds]


def read_tags(scores: Scores, words: int, asked: Asked) -> Places:
    """Places above the threshold, of models that score where names begin, end and go on.

    A place's score is the least of that of its first word to begin, of its last word to
    end, and of all its words to belong to a name.

    Args:
        scores: By word, label, and whether it begins, ends or goes on, ``(W, C, 3)``.
        words: Words of the text; more are padding.
        asked: What is looked for.

    Returns:
        Them, by label, first word and last word.
    """
    found = [_of_label(scores[:words, kind], asked.threshold) for kind in range(len(asked.labels))]
    kinds = np.repeat(np.arange(len(found)), [len(part[0]) for part in found])
    firsts, lasts, least = (np.concatenate([part[i] for part in found]) for i in range(3))
    return firsts.astype(np.int64), lasts.astype(np.int64), kinds, least


def _of_label(scores: Scores, threshold: float) -> tuple[Ints, Ints, Scores]:
    begins, ends, inside = scores.T
    firsts, lasts, least = [], [], []
    stops = np.flatnonzero(ends > threshold)
    for first in np.flatnonzero(begins > threshold):
        outside = np.flatnonzero(inside[first:] < threshold)
        end = first + outside[0] if len(outside) else len(inside)
        run = np.minimum.accumulate(inside[first:end])
        here = stops[(stops >= first) & (stops < end)]
        firsts.append(np.full(len(here), first))
        lasts.append(here)
        least.append(np.minimum(np.minimum(run[here - first], begins[first]), ends[here]))
    if not firsts:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32)
    return np.concatenate(firsts), np.concatenate(lasts), np.concatenate(least)
