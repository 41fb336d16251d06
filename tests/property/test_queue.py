"""The queue as a state machine: whatever is done to it, nothing is lost, doubled or starved."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from stelae.scheduler.entry import Entry, Slot
from stelae.scheduler.queue import Limits, Queue

LIMITS = Limits(batch_tokens=32, batch_items=8, queue_tokens=200, ageing=1.0)


class QueueMachine(RuleBasedStateMachine):
    calls: Bundle[Slot] = Bundle("calls")

    def __init__(self) -> None:
        super().__init__()
        self.queue: Queue[Slot] = Queue(LIMITS)
        self.now = 100.0
        self.admitted: list[Slot] = []
        self.waiting: dict[int, Entry[Slot]] = {}
        self.entered: dict[int, float] = {}
        self.answered: set[int] = set()
        self.kept: list[Entry[Slot]] = []

    @rule(seconds=st.floats(0, 3))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(
        target=calls,
        costs=st.lists(st.integers(1, 60), min_size=1, max_size=12),
        patience=st.none() | st.floats(0, 5),
        urgent=st.booleans(),
    )
    def call_arrives(self, costs: list[int], patience: float | None, urgent: bool) -> Slot:
        deadline = None if patience is None else self.now + patience
        slot = Slot(sum(costs), self.now, deadline, urgent)
        before = self.queue.depth.tokens
        taken = self.queue.admit(slot)
        fits = before + slot.estimate <= LIMITS.queue_tokens
        assert taken == (fits or before == 0 or urgent)
        if not taken:
            slot.alive = False
            return slot
        self.admitted.append(slot)
        entries = [Entry(slot, index, None, cost) for index, cost in enumerate(costs)]
        self.queue.push(entries)
        for entry in entries:
            self.kept.append(entry)
            self.waiting[id(entry)] = entry
            self.entered[id(entry)] = self.now
        return slot

    @rule(slot=consumes(calls))
    def caller_leaves(self, slot: Slot) -> None:
        self.queue.release(slot)
        self.queue.release(slot)
        self._forget(slot)

    @rule()
    def device_takes(self) -> None:
        batch = self.queue.take(self.now)
        assert len(batch.entries) <= LIMITS.batch_items
        assert batch.cost == sum(entry.cost for entry in batch.entries)
        assert batch.cost <= LIMITS.batch_tokens or len(batch.entries) == 1
        for entry in batch.entries + batch.late:
            assert id(entry) in self.waiting, "given out twice, or after its call had left"
            del self.waiting[id(entry)]
        for entry in batch.entries:
            assert entry.slot.deadline is None or entry.slot.deadline > self.now
        for entry in batch.late:
            assert entry.slot.deadline is not None
            assert entry.slot.deadline <= self.now
            self.queue.release(entry.slot)
            self._forget(entry.slot)
        if batch.entries:
            self._nothing_overtaken_by_the_young(batch.entries)
        elif not batch.late:
            assert not self.waiting, "the device was told to wait while work was there"

    def _nothing_overtaken_by_the_young(self, entries: list[Entry[Slot]]) -> None:
        ordinary = [self.entered[id(e)] for e in entries if not e.slot.urgent]
        oldest = min(
            (self.entered[i] for i, e in self.waiting.items() if not e.slot.urgent), default=None
        )
        if ordinary and oldest is not None:
            assert max(ordinary) <= oldest + LIMITS.ageing

    def _forget(self, slot: Slot) -> None:
        self.waiting = {i: e for i, e in self.waiting.items() if e.slot is not slot}

    @invariant()
    def depth_counts_exactly_the_living(self) -> None:
        living = [slot for slot in self.admitted if slot.alive]
        assert self.queue.depth.calls == len(living)
        assert self.queue.depth.tokens == sum(slot.estimate for slot in living)


TestQueue = QueueMachine.TestCase
TestQueue.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
