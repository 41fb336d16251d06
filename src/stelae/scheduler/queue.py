"""The waiting line: pure state, no threads, no clock of its own.

Entries leave in the order of a *due time* fixed when they enter:

    due = arrival + min(ageing, lead + PATIENCE * (tokens of the call with this one) / rate)

so a short text overtakes long ones that came a moment earlier, the tail of a
huge call lets others through, and nothing is overtaken by what came more than
``ageing`` seconds after it: nothing starves. What takes next to no time has no lead to give;
all else lets it go first for ``LEAD`` seconds.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Generic

import msgspec

from stelae.scheduler.entry import Batch, Entry, S, Slot

PATIENCE = 4.0
"""How many times its own running time an entry lets others pass."""

LEAD = 0.25
"""Seconds for which everything else lets what takes next to no time go before it."""

SLOW, SLOW_OF_SEVERAL = 0.15, 0.01
"""Seconds from which on a batch holds up what takes next to none: of a single lane, which takes
that along in its batches, and of several, where one is free sooner."""

QUICK = 0.002
"""Seconds of work of an entry that may run beside what holds all lanes."""

SHORT = 32
"""Tokens of an entry that may do so whatever the rate, which a crowded processor spoils."""

BRIEF = 0.05
"""Seconds of a batch, where there are lanes: what comes meanwhile finds one free soon."""

ENOUGH = 64
"""Tokens of a batch from which on more of them make next to nothing faster on a CPU."""

SMOOTHING = 0.2
"""Weight of the newest batch in the measured rate."""


Waiting = tuple[float, int, Entry[S]]
"""When an entry is due, its place among those due then, and the entry."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of one replica's queue.

    Attributes:
        batch_tokens: Tokens that run together at most; a longer item runs alone.
        batch_seconds: Seconds that a batch is expected to run at most, by the measured
            rate; keeps health checks and short texts from waiting behind slow batches.
        batch_items: Entries that run together at most.
        ahead_tokens: Tokens of one call beyond which its further items are prepared only
            when the device has come closer; bounds the memory of a huge call.
        queue_tokens: Admitted tokens beyond which further calls are refused. A call
            is never refused by an empty queue, whatever its size.
        ageing: Seconds after which nothing that arrives can overtake any more.
        tokens_per_second: Rate assumed before the first batch was measured.
    """

    batch_tokens: int = 4096
    batch_seconds: float = 0.5
    batch_items: int = 1024
    ahead_tokens: int = 16_384
    queue_tokens: int = 262_144
    ageing: float = 2.0
    tokens_per_second: float = 10_000.0


@dataclass(frozen=True, slots=True)
class Depth:
    """How much is admitted and not yet answered."""

    calls: int
    tokens: int


class Queue(Generic[S]):
    """Admission, order and batching of one replica's work.

    Args:
        limits: Its bounds.
        lanes: Batches that may run at once.
    """

    def __init__(self, limits: Limits, lanes: int = 1) -> None:
        self.limits = limits
        self._lanes = lanes
        self.rate = limits.tokens_per_second
        self._heap: list[Waiting[S]] = []
        self._quick: list[Waiting[S]] = []
        self._ticket = count()
        self._tokens = 0
        self._ready = 0
        self._calls = 0

    @property
    def depth(self) -> Depth:
        """What is admitted and not yet released."""
        return Depth(self._calls, self._tokens)

    @property
    def waiting(self) -> bool:
        """Whether any entry waits (some may belong to calls that have left)."""
        return bool(self._heap or self._quick)

    @property
    def quick(self) -> bool:
        """Whether any entry waits that takes next to no time."""
        return bool(self._quick)

    @property
    def backlog(self) -> float:
        """Seconds that the admitted work is expected to take."""
        return self._tokens / (self.rate * self._lanes)

    def admit(self, slot: S) -> bool:
        """Take a call in, or refuse it because the queue is full."""
        if (
            self._tokens
            and self._tokens + slot.estimate > self.limits.queue_tokens
            and not slot.urgent
        ):
            return False
        self._tokens += slot.estimate
        self._calls += 1
        return True

    def release(self, slot: S) -> None:
        """Let a call go: answered, failed or left. Entries still waiting are forgotten."""
        if slot.alive:
            slot.alive = False
            self._tokens -= slot.estimate
            self._calls -= 1

    def push(self, entries: Iterable[Entry[S]]) -> None:
        """Add prepared entries of an admitted call."""
        for entry in entries:
            line = self._quick if entry.cost <= self._little else self._heap
            heapq.heappush(line, (self._due(entry), next(self._ticket), entry))
            self._ready += entry.cost

    def take(self, now: float, takers: int = 1) -> Batch[S]:
        """Give out the next batch; empty when nothing waits.

        Args:
            now: Clock reading.
            takers: How many could run a batch now, this one counted: what waits is shared
                among them, if it is more than a trifle. What takes next to no time is shared
                among all lanes, as those that are busy will be free before its answers are read.
        """
        bound = min(self.limits.batch_tokens, self.rate * self.limits.batch_seconds)
        if self._lanes > 1:
            bound = min(bound, max(ENOUGH, self.rate * BRIEF))
        alone = self._quick_alone()
        sharers = self._lanes if alone else takers
        if sharers > 1:
            bound = min(bound, max(ENOUGH, self._ready / sharers))
        lines = (self._quick,) if alone else (self._heap, self._quick)
        return self._take(now, bound, lines)

    def take_quick(self, now: float) -> Batch[S]:
        """Give out what takes next to no time, and no more of it than that."""
        return self._take(now, self._little, (self._quick,))

    def slow(self, batch: Batch[S]) -> bool:
        """Whether what takes next to no time should not wait for a batch."""
        brief = self._lanes > 1 and batch.longest > self._little
        return batch.cost / self.rate > (SLOW_OF_SEVERAL if brief else SLOW)

    def _quick_alone(self) -> bool:
        """Whether the next batch has no room for what would keep its first entry waiting."""
        if self._lanes == 1 or not self._quick:
            return False
        return not self._heap or _first(self._quick) < _first(self._heap)

    @property
    def _little(self) -> float:
        """Tokens that take next to no time."""
        return max(SHORT, self.rate * QUICK)

    def _take(self, now: float, bound: float, lines: Sequence[list[Waiting[S]]]) -> Batch[S]:
        batch: Batch[S] = Batch()
        while len(batch.entries) < self.limits.batch_items:
            line = min((each for each in lines if each), key=_first, default=None)
            if line is None:
                break
            entry = line[0][2]
            alive, late = entry.slot.alive, _late(entry.slot, now)
            full = batch.entries and batch.cost + entry.cost > bound
            if alive and not late and full:
                break
            heapq.heappop(line)
            self._ready -= entry.cost
            if not alive:
                continue
            if late:
                batch.late.append(entry)
            else:
                batch.entries.append(entry)
                batch.cost += entry.cost
                batch.longest = max(batch.longest, entry.cost)
        return batch

    def observe(self, cost: int, seconds: float) -> None:
        """Learn the rate from a batch that ran."""
        if seconds > 0:
            self.rate += SMOOTHING * (cost / seconds - self.rate)

    def _due(self, entry: Entry[S]) -> float:
        slot = entry.slot
        slot.pushed += entry.cost
        if slot.urgent:
            return -math.inf
        lead = 0.0 if entry.cost <= self._little else LEAD
        own = slot.pushed / (self.rate * self._lanes)
        return slot.arrived + min(self.limits.ageing, lead + PATIENCE * own)


def _first(line: Sequence[Waiting[Any]]) -> tuple[float, int]:
    due, ticket, _ = line[0]
    return due, ticket


def _late(slot: Slot, now: float) -> bool:
    return slot.deadline is not None and now >= slot.deadline
