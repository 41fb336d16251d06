"""What the comparisons print: the machine, a table, and ratios of medians."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from statistics import median

from rich.console import Console
from rich.table import Table

from stelae.engines.hardware import BFLOAT16_FLAGS, cores, cpu_flags

CONSOLE = Console(width=120)


def machine(*packages: str) -> None:
    """Print what the figures were taken on."""
    flags = [flag for flag in (*BFLOAT16_FLAGS, "avx512f", "avx2") if flag in cpu_flags()]
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    CONSOLE.print(
        f"{cores()} cores, {platform.machine()} ({', '.join(flags)}), Python "
        f"{platform.python_version()}, {versions}; load {os.getloadavg()[0]:.2f}"
    )


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows; numbers to the right."""
    grid = Table(title=title, title_justify="left")
    for index, column in enumerate(columns):
        first = index == 0
        grid.add_column(column, justify="left" if first else "right", no_wrap=first)
    for row in rows:
        grid.add_row(*(f"{v:,.4g}" if isinstance(v, float) else str(v) for v in row))
    CONSOLE.print(grid)


def progress(line: str) -> None:
    """Print what was done last."""
    CONSOLE.print(f"  {line}", style="dim", highlight=False, markup=False)


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Median of the ratios, pair by pair; infinite where there is nothing to divide by."""
    return median(a / b if b else math.inf for a, b in zip(ours, theirs, strict=True))
