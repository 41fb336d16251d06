"""A call between submission and answer: which rows are there, what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import msgspec

from stelae.engines.base import AnyJob, Prepared
from stelae.errors import StelaeError
from stelae.scheduler.entry import Entry, Slot
from stelae.types import Timing

PREPARE_ITEMS = 64
"""Items prepared in one go; longer calls take turns."""


@dataclass(slots=True, eq=False, kw_only=True)
class Pending(Slot):
    """One admitted call and its future; its own place in the queue.

    Attributes:
        job: What was asked.
        future: Resolves with the result or the error.
        prepared: Items prepared so far, in order.
        rows: One row or error per item, as they come.
        left: Items whose row is still missing.
        ahead: Work that is prepared and has not run, in tokens.
        parked: Whether preparing waits for the device to come closer.
    """

    job: AnyJob
    future: Future[Any] = field(default_factory=Future)
    prepared: list[Prepared[Any]] = field(default_factory=list, init=False)
    rows: list[Any] = field(init=False)
    left: int = field(init=False)
    ahead: int = field(default=0, init=False)
    parked: bool = field(default=False, init=False)
    prepare_s: float = field(default=0.0, init=False)
    first_ready: float | None = field(default=None, init=False)
    first_run: float | None = field(default=None, init=False)
    run_s: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self.left = self.job.size
        self.rows = [None] * self.left

    @property
    def size(self) -> int:
        """Number of items."""
        return len(self.rows)

    @property
    def unprepared(self) -> bool:
        """Whether items remain to be prepared."""
        return len(self.prepared) < self.size

    def prepare(self) -> Sequence[Prepared[Any]]:
        """Prepare the next items."""
        start = len(self.prepared)
        return self.job.prepare(start, min(self.size, start + PREPARE_ITEMS))

    def accept(self, part: Sequence[Prepared[Any]], now: float) -> list[Entry[Pending]]:
        """Note prepared items; failed ones, and those that need not run, are settled at once.

        Returns:
            Entries for the queue, in order.
        """
        entries: list[Entry[Pending]] = []
        for item in part:
            index = len(self.prepared)
            self.prepared.append(item)
            if item.error is not None:
                self.settle(index, item.error)
            elif item.row is not None:
                self.settle(index, item.row)
            else:
                entries.append(Entry(self, index, item.features, max(1, item.cost)))
                self.ahead += max(1, item.cost)
        if entries and self.first_ready is None:
            self.first_ready = now
        return entries

    def settle(self, index: int, row: Any | StelaeError) -> None:
        """Store the row, or the error, of one item."""
        self.rows[index] = row
        self.left -= 1

    def timed(self, result: Any, finish_s: float, now: float) -> Any:
        """The result with where its time went."""
        waited = (self.first_run or now) - (self.first_ready or now)
        timing = Timing(
            prepare_ms=1e3 * self.prepare_s,
            queue_ms=1e3 * waited,
            run_ms=1e3 * self.run_s,
            finish_ms=1e3 * finish_s,
            total_ms=1e3 * (now - self.arrived),
        )
        return msgspec.structs.replace(result, timing=timing)
