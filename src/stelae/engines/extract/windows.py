"""Windows on texts that are longer than a model reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Generic, TypeVar

T = TypeVar("T")

SHARE = 8
"""Windows overlap by one part in so many of their length, unless more is asked for."""


def overlap_of(length: int, least: int = 0) -> int:
    """Units that neighbouring windows have in common.

    Args:
        length: Units of a window.
        least: The longest thing that is looked for; within the overlap it is whole in
            one of two windows. Never more than half a window.
    """
    return min(max(least, length // SHARE), length // 2)


def plan(costs: Sequence[int], room: int, most: int, overlap: int) -> list[tuple[int, int]]:
    """Cut a row of words into windows that overlap.

    Args:
        costs: Tokens of each word.
        room: Most tokens in a window; a word that has more stands alone.
        most: Most words in a window.
        overlap: Words that a window has in common with the one before, as far as it
            then still gets on.

    Returns:
        First word and the word after the last, of each; one window if all fits.
    """
    sums = [0, *accumulate(costs)]
    windows: list[tuple[int, int]] = []
    start = 0
    while start < len(costs):
        stop = _stop(sums, start, room, most)
        windows.append((start, stop))
        if stop == len(costs):
            break
        start = max(start + 1, stop - min(overlap, (stop - start) // 2))
        while start < stop and sums[stop + 1] - sums[start] > room:
            start += 1  # else the next window would end where this one does
    return windows


def _stop(sums: Sequence[int], start: int, room: int, most: int) -> int:
    """Where a window ends that begins at a word; it has one at least."""
    stop = start + 1
    last = min(len(sums) - 1, start + most)
    while stop < last and sums[stop + 1] - sums[start] <= room:
        stop += 1
    return stop


def bound(text: str, room: int, most: int) -> int:
    """More windows than any text of this length should need, found without reading it.

    A letter is one word at most, a byte of it two tokens, and of neighbouring windows a
    half is new; as much again is for uneven words.

    Args:
        text: The text.
        room: Tokens of a window.
        most: Words of a window.
    """
    size = len(text.encode("utf-8", "surrogatepass"))
    if len(text) <= most and 2 * size <= room:
        return 1
    return 2 + 4 * len(text) // most + 4 * size // room


class Windows(Generic[T]):
    """The windows of a text, each made when it is asked for: of long texts there are many.

    Args:
        places: First word and the word after the last, of each.
        make: Makes a window of them.
    """

    def __init__(self, places: Sequence[tuple[int, int]], make: Callable[[int, int], T]) -> None:
        self._places, self._make = places, make

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> T:
        return self._make(*self._places[index])
