"""Which loaded models make way for another one."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """A model and the memory that it holds.

    Attributes:
        name: The model.
        bytes: Memory of its workers.
        used: When it was last used, in seconds on any clock.
        free: Whether it may be unloaded now.
    """

    name: str
    bytes: int
    used: float
    free: bool


def chosen(holdings: Iterable[Holding], short: int) -> list[Holding]:
    """The models to unload so that ``short`` bytes come free, the longest unused first.

    Of those longest unused, the ones that the others make needless are spared, the latest
    used first: many small models do not go where one large one is enough.

    Args:
        holdings: All models.
        short: Bytes that are wanted.

    Returns:
        Models that may go; all that hold anything if together they have too little.
    """
    taken: list[Holding] = []
    for holding in sorted(holdings, key=lambda holding: holding.used):
        if total(taken) < short and holding.free and holding.bytes > 0:
            taken.append(holding)
    spare = total(taken) - short
    needed: list[Holding] = []
    for holding in reversed(taken):
        if holding.bytes <= spare:
            spare -= holding.bytes
        else:
            needed.append(holding)
    return needed[::-1]


def total(holdings: Iterable[Holding]) -> int:
    """Bytes that models hold together."""
    return sum(holding.bytes for holding in holdings)
