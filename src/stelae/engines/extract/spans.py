"""Places in a text that may be names: of several windows, and those that are kept.

Source: gliner 0.2.24, ``decoding/decoder.py``, for what is kept of places that overlap.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

NONE = np.empty(0, np.int64)

MOST = 20_000
"""Most candidates of one window; of more, the best count."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Places that a model takes for names, each of shape ``(N,)``.

    Attributes:
        starts: First characters.
        ends: The characters after the last.
        kinds: Positions of their labels in the call.
        scores: How sure the model is.
    """

    starts: Ints
    ends: Ints
    kinds: Ints
    scores: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.starts)

    def take(self, which: Ints) -> Candidates:
        """Some of them, in that order."""
        return Candidates(
            self.starts[which], self.ends[which], self.kinds[which], self.scores[which]
        )


def best(found: Candidates) -> Candidates:
    """All of them, or the best if there are too many; in the order given."""
    if len(found) <= MOST:
        return found
    kept = np.argpartition(found.scores, len(found) - MOST)[len(found) - MOST :]
    return found.take(np.sort(kept))


def merged(windows: Sequence[Candidates]) -> Candidates:
    """All that any window holds, each place with each label once, with its best score.

    Returns:
        Them, by start, end and label.
    """
    all_of = Candidates(
        np.concatenate([NONE, *(w.starts for w in windows)]),
        np.concatenate([NONE, *(w.ends for w in windows)]),
        np.concatenate([NONE, *(w.kinds for w in windows)]),
        np.concatenate([NONE.astype(np.float64), *(w.scores for w in windows)]),
    )
    order = np.lexsort((-all_of.scores, all_of.kinds, all_of.ends, all_of.starts))
    every = all_of.take(order)
    same = (
        (every.starts[1:] == every.starts[:-1])
        & (every.ends[1:] == every.ends[:-1])
        & (every.kinds[1:] == every.kinds[:-1])
    )
    first = np.ones(len(every), np.bool_)
    first[1:] = ~same
    return every.take(np.flatnonzero(first))


def selected(found: Candidates, *, nested: bool, several: bool) -> Candidates:
    """What is kept of places that overlap: the best first, then what goes with it.

    Args:
        found: Places by start, end and label; of equal scores the first goes first.
        nested: Whether one place may lie within another.
        several: Whether a place may have more than one label.

    Returns:
        Those kept, by start; of equal starts the best first.
    """
    kept = (_nested if nested else _flat)(found, several=several)
    order = np.argsort(found.starts[kept], kind="stable")
    return found.take(kept[order])


def _by_score(found: Candidates) -> list[int]:
    order: list[int] = np.argsort(-found.scores, kind="stable").tolist()
    return order


def _flat(found: Candidates, *, several: bool) -> Ints:
    """Those of which no letter belongs to a better one."""
    places: list[tuple[int, int]] = []  # kept so far, in order; they do not overlap
    kept: list[int] = []
    starts, ends = found.starts.tolist(), found.ends.tolist()
    for index in _by_score(found):
        place = (starts[index], ends[index])
        at = bisect_left(places, place)
        if at < len(places) and places[at] == place:
            if several:
                kept.append(index)
            continue
        before = at > 0 and places[at - 1][1] > place[0]
        after = at < len(places) and places[at][0] < place[1]
        if not before and not after:
            places.insert(at, place)
            kept.append(index)
    return np.array(kept, np.int64)


def _nested(found: Candidates, *, several: bool) -> Ints:
    """Those that share letters with a better one only if one lies within the other."""
    kept = np.empty(len(found), np.int64)
    starts, ends = np.empty(len(found), np.int64), np.empty(len(found), np.int64)
    count = 0
    for index in _by_score(found):
        start, end = found.starts[index], found.ends[index]
        others, stops = starts[:count], ends[:count]
        crossing = ((others < start) & (start < stops) & (stops < end)) | (
            (start < others) & (others < end) & (end < stops)
        )
        if not several:
            crossing |= (others == start) & (stops == end)
        if not crossing.any():
            kept[count], starts[count], ends[count] = index, start, end
            count += 1
    return kept[:count]
