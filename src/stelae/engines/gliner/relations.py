"""Relations of all windows of a text: those between names that are kept."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stelae.engines.extract.spans import NONE, Ints
from stelae.engines.gliner.features import Links

WIDE = 2**31
"""More characters than a text has."""


def related(windows: Sequence[Links], kept: Ints) -> Links:
    """Relations between names that are kept, each once with its best score.

    Args:
        windows: What each window holds.
        kept: First and last character of each name, shape ``(N, 2)``.

    Returns:
        Them, the best first; of equal scores by head, tail and kind.
    """
    places = np.unique(_one(kept))
    found = [_between(links, places) for links in windows]
    heads, tails, kinds = (
        np.concatenate([NONE, *(columns[i] for columns in found)]) for i in range(3)
    )
    scores = np.concatenate([np.empty(0), *(columns[3] for columns in found)])
    order = np.lexsort((-scores, kinds, tails, heads))
    heads, tails, kinds, scores = (column[order] for column in (heads, tails, kinds, scores))
    first = np.ones(len(scores), np.bool_)
    first[1:] = (np.diff(heads) != 0) | (np.diff(tails) != 0) | (np.diff(kinds) != 0)
    best = np.flatnonzero(first)
    best = best[np.argsort(-scores[best], kind="stable")]
    return Links(_two(heads[best]), _two(tails[best]), kinds[best], scores[best])


def _between(links: Links, places: Ints) -> tuple[Ints, Ints, Ints, NDArray[np.float64]]:
    """Heads, tails, kinds and scores of those whose names are kept."""
    heads, tails = _one(links.heads), _one(links.tails)
    both = np.isin(heads, places) & np.isin(tails, places)
    return heads[both], tails[both], links.kinds[both], links.scores[both]


def _one(spans: Ints) -> Ints:
    """Places, each as one number; in the same order."""
    return spans[:, 0] * WIDE + spans[:, 1]


def _two(places: Ints) -> Ints:
    """First and last character of places that ``_one`` made one number of."""
    return np.stack([places // WIDE, places % WIDE], axis=1)
