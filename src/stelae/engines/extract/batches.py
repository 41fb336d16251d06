"""Entries that run together without much padding."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

SLACK = 1.25
"""How much longer the longest of a batch may be than the shortest."""

FREE = 8
"""Tokens of padding that do not count."""

F = TypeVar("F")


def alike(
    batch: Sequence[F],
    *,
    key: Callable[[F], Hashable],
    length: Callable[[F], int],
    most: Callable[[F], int],
    alone: bool = False,
) -> list[list[int]]:
    """Positions of entries that may run together, each once.

    Args:
        batch: The entries.
        key: What has to be equal.
        length: What has to be nearly equal.
        most: How many may run together with this one, by what they take in memory.
        alone: Whether each runs alone.
    """
    order = sorted(range(len(batch)), key=lambda i: length(batch[i]))
    groups: dict[Hashable, list[list[int]]] = {}
    for index in order:
        found = groups.setdefault(key(batch[index]), [[]])
        first = length(batch[found[-1][0]]) if found[-1] else length(batch[index])
        far = length(batch[index]) > SLACK * first + FREE
        if found[-1] and (alone or far or len(found[-1]) >= most(batch[index])):
            found.append([])
        found[-1].append(index)
    return [group for found in groups.values() for group in found]
