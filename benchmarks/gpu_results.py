"""What a run on a GPU found: rows, as Markdown and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Row:
    """One contender at one task.

    Attributes:
        task: What was done.
        engine: Who did it.
        unit: What is counted.
        rate: Of them per second, the median.
        slowest: The lowest of all rounds.
        quickest: The highest.
        ratio: To the first contender's rate, the median round by round.
        reached: Fraction of the measured matrix rate; ``None`` where there is none.
        cosine: Smallest between its vectors and the first contender's; ``None`` for the first.
    """

    task: str
    engine: str
    unit: str
    rate: float
    slowest: float
    quickest: float
    ratio: float
    reached: float | None
    cosine: float | None


def rows_of(
    task: str,
    unit: str,
    count: int,
    taken: Mapping[str, Sequence[float]],
    arithmetic: float | None,
    cosine: float | None,
) -> list[Row]:
    """Rows of a task; contenders are compared with the first.

    Args:
        task: What was done.
        unit: What is counted.
        count: How many were in a round.
        taken: Seconds of each round, by contender.
        arithmetic: Seconds that a round would take at the matrix rate.
        cosine: Smallest between the vectors of the first and of another, if it makes any.
    """
    base = next(iter(taken.values()))
    rows = []
    for engine, seconds in taken.items():
        middle = median(seconds)
        rows.append(
            Row(
                task=task,
                engine=engine,
                unit=unit,
                rate=count / middle,
                slowest=count / max(seconds),
                quickest=count / min(seconds),
                ratio=median(b / s for b, s in zip(base, seconds, strict=True)),
                reached=None if arithmetic is None else arithmetic / middle,
                cosine=None if seconds is base else cosine,
            )
        )
    return rows


HEAD = """| task | engine | rate | spread | ratio | of the matrix rate | cosine |
| --- | --- | ---: | ---: | ---: | ---: | ---: |
"""


def markdown(about: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """A page: the machine, the table, and what else was told."""
    facts = "".join(f"* {name}: {value}\n" for name, value in about.items())
    return f"{facts}\n{HEAD}{''.join(map(_line, rows))}"


def _line(row: Row) -> str:
    reached = "" if row.reached is None else f"{row.reached:.2f}"
    cosine = "" if row.cosine is None else f"{row.cosine:.5f}"
    spread = f"{row.slowest:,.0f} to {row.quickest:,.0f}"
    parts = (row.task, row.engine, f"{row.rate:,.0f} {row.unit}/s", spread)
    return f"| {' | '.join(parts)} | {row.ratio:.2f} | {reached} | {cosine} |\n"


def write(folder: Path, about: Mapping[str, Any], rows: Sequence[Row]) -> None:
    """Write ``gpu.md`` and ``gpu.json``; called again as rows are added."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gpu.md").write_text(markdown(about, rows))
    whole = {"about": dict(about), "rows": [asdict(row) for row in rows]}
    (folder / "gpu.json").write_text(json.dumps(whole, indent=1))
