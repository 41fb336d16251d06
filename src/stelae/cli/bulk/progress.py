"""How far a job is: a bar in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from stelae.cli.bulk.state import Counts


class Meter(Protocol):
    """Someone to tell how far it is."""

    def update(self, counts: Counts, done: int, total: int | None) -> None:
        """Take note: rows written, and units of the input read."""
        ...

    def close(self) -> None:
        """Clear away."""
        ...


class Silent:
    """Says nothing."""

    def update(self, counts: Counts, done: int, total: int | None) -> None:
        """Ignore it."""

    def close(self) -> None:
        """Nothing is there."""


class Lines:
    """Prints a line every ``every`` seconds."""

    def __init__(self, every: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._every = every
        self._clock = clock
        self._started = self._last = clock()
        self._first: int | None = None

    def update(self, counts: Counts, done: int, total: int | None) -> None:
        """Print a line if it is time."""
        if self._first is None:
            self._first = counts.rows
        now = self._clock()
        if now - self._last < self._every:
            return
        self._last = now
        share = f" ({done / total:.0%} of the input)" if total else ""
        rate = (counts.rows - self._first) / (now - self._started)
        sys.stderr.write(f"{counts.rows} items{share}, {rate:.0f} items/s\n")

    def close(self) -> None:
        """Nothing is there."""


class Bar:
    """A bar with items, items per second and the time left."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started = clock()
        self._first: tuple[int, int] | None = None
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TextColumn("{task.fields[rows]}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=Console(stderr=True),
            transient=True,
            expand=True,
        )
        self._task = self._progress.add_task("loading", total=None, rows="", left="")
        self._progress.start()

    def update(self, counts: Counts, done: int, total: int | None) -> None:
        """Move the bar."""
        if self._first is None:
            self._first = (counts.rows, done)
        seconds = max(self._clock() - self._started, 1e-6)
        rate = (counts.rows - self._first[0]) / seconds
        units = (done - self._first[1]) / seconds
        left = f"{duration((total - done) / units)} left" if total and units > 0 else ""
        rows = f"{counts.rows:,} items, {rate:,.0f}/s"
        self._progress.update(
            self._task, description="embed", completed=done, total=total, rows=rows, left=left
        )

    def close(self) -> None:
        """Take the bar away."""
        self._progress.stop()


def duration(seconds: float) -> str:
    """A span of time as people say it."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}:{rest:02d} min"
    return f"{minutes // 60}:{minutes % 60:02d} h"


def meter(wanted: bool | None, *, quiet: bool) -> Meter:
    """The meter that fits stderr.

    Args:
        wanted: ``True`` or ``False`` as asked for, ``None`` for a bar in a terminal only.
        quiet: Say nothing unless asked.
    """
    terminal = sys.stderr.isatty()
    if wanted is False or (wanted is None and (quiet or not terminal)):
        return Silent()
    return Bar() if terminal else Lines()
