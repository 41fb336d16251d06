"""Names of items whose caller gave none."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count


def named_all(given: Sequence[str | None]) -> list[str]:
    """A name for each item: the caller's own, or ``item-N`` by its place, counted from 0.

    Where a caller's own name is ``item-N`` already, the item at that place gets ``item-N-2``, or
    the next number that is free; made-up names are never those of other items.
    """
    taken = {name for name in given if name is not None}
    return [_free(f"item-{i}", taken) if name is None else name for i, name in enumerate(given)]


def _free(name: str, taken: set[str]) -> str:
    if name in taken:
        name = next(other for n in count(2) if (other := f"{name}-{n}") not in taken)
    taken.add(name)
    return name
