"""A cell of a comparison as rows: medians over its turns, and ratios turn by turn."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks import report
from benchmarks.results import NAN, Cell, Turn

COLUMNS = (
    "server", "texts/s", "least to most", "p50 ms", "p99 ms", "texts/CPU s", "peak MB", "failed",
    "texts/s ratio", "p50 ratio",
)  # fmt: skip
"""Of a table; the ratios are to the first server."""


@dataclass(frozen=True)
class Measure:
    """Something in which one server is ahead of another.

    Attributes:
        label: In words.
        unit: Of its numbers.
        of: What one turn says of it.
        more: Whether more of it is better.
    """

    label: str
    unit: str
    of: Callable[[Turn], float]
    more: bool = False


RATE = Measure("texts per second", "texts/s", lambda turn: turn.texts_per_second, more=True)
MIDDLE = Measure("median latency", "ms", lambda turn: turn.latency(50))
TAIL = Measure("99th percentile of latency", "ms", lambda turn: turn.latency(99))
EFFICIENCY = Measure(
    "texts per CPU second", "texts/CPU s", lambda turn: turn.texts_per_cpu_second, more=True
)
MEMORY = Measure("peak memory", "MB", lambda turn: NAN if turn.peak_mb is None else turn.peak_mb)
MEASURES = (RATE, MIDDLE, TAIL, EFFICIENCY, MEMORY)


def measures(cell: Cell) -> tuple[Measure, ...]:
    """Those that tell servers apart: what is offered in an open loop is answered by most."""
    return MEASURES[1:] if cell.rate else MEASURES


def middle(turns: Sequence[Turn], measure: Measure) -> float:
    """Median over the turns that know it; NaN if none does."""
    known = [value for value in map(measure.of, turns) if not math.isnan(value)]
    return median(known) if known else NAN


def ratio(ours: Sequence[Turn], theirs: Sequence[Turn], measure: Measure) -> float:
    """Median of the ratios of turns that were run beside each other; NaN if not known."""
    pairs = list(zip(map(measure.of, ours), map(measure.of, theirs), strict=False))
    known = [(a, b) for a, b in pairs if math.isfinite(a) and math.isfinite(b)]
    return report.ratio(*zip(*known, strict=True)) if known else NAN


def ahead(ours: Sequence[Turn], theirs: Sequence[Turn], measure: Measure) -> float:
    """How many times better ours is: below one, theirs is better; NaN if not known."""
    if measure.more:
        return ratio(ours, theirs, measure)
    return ratio(theirs, ours, measure)


def rows(cell: Cell) -> list[tuple[str, ...]]:
    """A row per server, after ``COLUMNS``."""
    first = next(iter(cell.servers.values()), [])
    return [_row(name, turns, first) for name, turns in cell.servers.items()]


def _row(name: str, turns: Sequence[Turn], first: Sequence[Turn]) -> tuple[str, ...]:
    rates = [turn.texts_per_second for turn in turns]
    return (
        name,
        number(middle(turns, RATE), ",.1f"),
        f"{number(min(rates), ',.0f')} to {number(max(rates), ',.0f')}",
        number(middle(turns, MIDDLE), ",.2f"),
        number(middle(turns, TAIL), ",.2f"),
        number(middle(turns, EFFICIENCY), ",.0f"),
        number(middle(turns, MEMORY), ",.0f"),
        str(sum(turn.failed for turn in turns)),
        number(ratio(turns, first, RATE), ",.2f"),
        number(ratio(turns, first, MIDDLE), ",.2f"),
    )


WAITS = ("server", "p50, times", "p99, times")
"""Of a table of ``waits``."""


def waits(cell: Cell, base: Cell) -> list[tuple[str, ...]]:
    """How many times longer each server takes for a cell than for another, after ``WAITS``."""
    return [
        (name, *(number(ratio(turns, base.servers[name], m), ",.2f") for m in (MIDDLE, TAIL)))
        for name, turns in cell.servers.items()
        if name in base.servers
    ]


def number(value: float, form: str) -> str:
    """A number as it is printed; a dash where there is none."""
    return f"{value:{form}}" if math.isfinite(value) else "-"
