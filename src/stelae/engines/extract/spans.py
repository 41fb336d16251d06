"""Places in a text that may be names: of several windows, and those that are kept.

Source: gliner 0.2.24, ``decoding/decoder.py``, for what is kept of places that overlap.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

NONE = np.empty(0, np.int64)

Place = tuple[int, int]

MOST = 2_000
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
    kept = _kept(found, nested=nested, several=several)
    order = np.argsort(found.starts[kept], kind="stable")
    return found.take(kept[order])


def _kept(found: Candidates, *, nested: bool, several: bool) -> Ints:
    """Positions of those that give way to nothing better, the best first."""
    starts, ends = found.starts.tolist(), found.ends.tolist()
    widest = int((found.ends - found.starts).max(initial=0))
    places: list[Place] = []  # kept so far, in order
    kept: list[int] = []
    for index in np.argsort(-found.scores, kind="stable").tolist():
        place = (starts[index], ends[index])
        first = bisect_left(places, (place[0] - widest, 0))
        near = places[first : bisect_left(places, (place[1], 0))]
        if not any(_clash(place, other, nested=nested, several=several) for other in near):
            insort(places, place)
            kept.append(index)
    return np.array(kept, np.int64)


def _clash(place: Place, other: Place, *, nested: bool, several: bool) -> bool:
    """Whether a place gives way to a better one."""
    if place == other:
        return not several
    if place[1] <= other[0] or other[1] <= place[0]:
        return False
    inside = place[0] <= other[0] and other[1] <= place[1]
    around = other[0] <= place[0] and place[1] <= other[1]
    return not (nested and (inside or around))
