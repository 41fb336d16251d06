"""The threads around a queue: prepare, run, finish.

A small call is prepared in the thread that submits it, so that one short text
costs a single hand-over, to a device thread. Larger calls are prepared by a
helper thread, a few items at a time and in turns, while the device already
works on their first items. ``finish`` runs where the last row arrived if it is
little work, else in the helper thread. An engine that is ``Wide`` has
device threads, one or several that share what waits, and one more for what should not wait
for any of them.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import msgspec

from stelae.engines.base import AnyBatchEngine, Wide
from stelae.engines.memory import Housekeeper
from stelae.errors import (
    DeadlineExceeded,
    EngineFailed,
    QueueFull,
    ShuttingDown,
    StelaeError,
)
from stelae.scheduler.entry import Batch, Entry
from stelae.scheduler.pending import Pending
from stelae.scheduler.queue import Depth, Limits, Queue
from stelae.scheduler.rest import Rest
from stelae.scheduler.stats import RunnerStats
from stelae.scheduler.width import Width

Together = Callable[[], AbstractContextManager[None]]

INLINE_ITEMS = 16
"""Calls of at most so many items are finished in the thread that has their last row."""


class Runner:
    """Runs one engine: takes calls, answers through futures.

    Args:
        engine: What it runs.
        limits: Bounds of what waits.
        together: Entered while the calls of one batch are answered.
    """

    def __init__(
        self,
        engine: AnyBatchEngine,
        limits: Limits | None = None,
        together: Together = nullcontext,
    ) -> None:
        self.engine, self._together = engine, together
        self._wide = engine if isinstance(engine, Wide) and engine.lanes else None
        self._lanes = self._wide.lanes if self._wide else 1
        self._width = Width(self._wide.cores if self._wide else 1, self._lanes)
        self._queue: Queue[Pending] = Queue(limits or Limits(), self._lanes)
        self._lock = threading.Lock()
        self._entries_ready = Rest(self._lock)
        self._quick_ready = threading.Condition(self._lock)
        self._chores_ready = threading.Condition(self._lock)
        self._idle = threading.Condition(self._lock)
        # A future's callback that knew the call itself would leave both to the collector.
        self._pending: dict[Future[Any], Pending] = {}
        self._chores: deque[Pending] = deque()
        self._draining = False
        self._closed = False
        self._stats = RunnerStats()
        self._housekeeper = Housekeeper()
        self._running = self._slow = 0
        serving = [self._serve_device] * self._lanes
        if self._wide:
            serving.append(self._serve_quick)
        self._threads = [
            *(threading.Thread(target=s, name="stelae-device", daemon=True) for s in serving),
            threading.Thread(target=self._serve_chores, name="stelae-prepare", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    # -- the callers' side -------------------------------------------------------------------

    def submit(
        self, call: Any, *, timeout: float | None = None, urgent: bool = False
    ) -> Future[Any]:
        """Take a call in.

        Args:
            call: Any call that the engine takes.
            timeout: Seconds after which the answer is worth nothing.
            urgent: Goes before everything else (for health checks).

        Returns:
            A future of the result. Every error arrives through it, ``QueueFull``
            and ``ShuttingDown`` at once. Cancelling it drops what still waits.
        """
        now = time.monotonic()
        deadline = None if timeout is None else now + timeout
        try:
            job = self.engine.open(call)
            estimate, light = job.estimate, job.light
        except Exception as error:  # whatever an engine raises is this call's answer
            return _failed(_as_ours(error))
        pending = Pending(estimate=estimate, arrived=now, deadline=deadline, urgent=urgent, job=job)
        with self._lock:
            refusal = self._refusal(pending)
            if refusal is None:
                self._pending[pending.future] = pending
        if refusal is not None:
            return _failed(refusal)
        pending.future.add_done_callback(self._forget)
        if light:
            self._prepare(pending)
        else:
            self._put_chore(pending)
        return pending.future

    @property
    def depth(self) -> Depth:
        """Calls and tokens admitted and not yet answered."""
        with self._lock:
            return self._queue.depth

    def stats(self) -> RunnerStats:
        """Counters since the start."""
        return msgspec.structs.replace(self._stats, rate=self._queue.rate)

    def drain(self, timeout: float) -> bool:
        """Refuse new calls and wait for the accepted ones.

        Returns:
            Whether all were answered within ``timeout`` seconds.
        """
        with self._lock:
            self._draining = True
            return self._idle.wait_for(lambda: not self._pending, timeout)

    def close(self) -> None:
        """Stop the threads, fail what is left and free the engine."""
        with self._lock:
            self._draining = self._closed = True
            left = list(self._pending.values())
            self._entries_ready.wake_all()
            self._quick_ready.notify_all()
            self._chores_ready.notify_all()
        for pending in left:
            self._fail(pending, ShuttingDown("the model was unloaded before the request ran"))
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()
        self.engine.close()

    def _refusal(self, pending: Pending) -> StelaeError | None:
        if self._draining:
            return ShuttingDown(
                "the model is being unloaded and takes no more requests", retry_after=1.0
            )
        if not self._queue.admit(pending):
            depth = self._queue.depth
            return QueueFull(
                f"{depth.tokens} tokens of {depth.calls} requests wait and {pending.estimate} more "
                f"are over the bound of {self._queue.limits.queue_tokens}; send it again later",
                retry_after=min(60.0, max(0.1, self._queue.backlog / 2)),
            )
        return None

    # -- prepare and finish ------------------------------------------------------------------

    def _put_chore(self, pending: Pending) -> None:
        with self._lock:
            self._chores.append(pending)
            self._chores_ready.notify()

    def _serve_chores(self) -> None:
        while True:
            with self._lock:
                self._chores_ready.wait_for(lambda: self._chores or self._closed)
                if self._closed:
                    return
                pending = self._chores.popleft()
            if not pending.alive:
                continue
            if pending.unprepared:
                self._prepare(pending)
            else:
                self._finish(pending)

    def _prepare(self, pending: Pending) -> None:
        """Prepare the next items of a call; what remains goes to the back of the chores."""
        started = time.monotonic()
        try:
            part = pending.prepare()
        except Exception as error:  # whatever an engine raises is this call's answer
            self._fail(pending, _as_ours(error))
            return
        now = time.monotonic()
        pending.prepare_s += now - started
        with self._lock:
            self._queue.push(pending.accept(part, now))
            settled = pending.left == 0
            pending.parked = pending.unprepared and self._far_ahead(pending)
            again = pending.unprepared and not pending.parked
            self._entries_ready.wake()
            if self._held_up():
                self._quick_ready.notify()
        if settled:
            self._finish(pending)
        elif again:
            self._put_chore(pending)

    def _far_ahead(self, pending: Pending) -> bool:
        return pending.ahead > self._queue.limits.ahead_tokens

    def _finish(self, pending: Pending) -> None:
        started = time.monotonic()
        try:
            result = pending.job.finish(pending.prepared, pending.rows)
        except Exception as error:  # whatever an engine raises is this call's answer
            self._fail(pending, _as_ours(error))
            return
        now = time.monotonic()
        if self._claim(pending):
            _resolve(pending.future, result=pending.timed(result, now - started, now))

    def _fail(self, pending: Pending, error: StelaeError) -> None:
        if self._claim(pending):
            _resolve(pending.future, error=error)

    def _claim(self, pending: Pending) -> bool:
        """Take the right to answer a call; False if it was answered before, or has left."""
        with self._lock:
            alive = pending.alive
            self._queue.release(pending)
        return alive

    def _forget(self, future: Future[Any]) -> None:
        """Let a call go whose future is done: answered, failed or cancelled."""
        with self._lock:
            self._queue.release(self._pending.pop(future))
            if not self._pending:
                self._idle.notify_all()

    # -- the device --------------------------------------------------------------------------

    def _serve_device(self) -> None:
        while True:
            with self._lock:
                self._entries_ready.wait_for(lambda: self._queue.waiting or self._closed)
                if self._closed:
                    return
                batch = self._queue.take(time.monotonic(), self._lanes - self._running)
                expected = batch.cost / self._queue.rate
                company = self._running + self._queue.waiting
                threads = self._width.choose(expected, time.monotonic(), company)
                slow = self._queue.slow(batch)
                self._running += 1
                self._slow += slow
                if self._queue.waiting:
                    self._entries_ready.wake()
                if self._held_up():
                    self._quick_ready.notify()
            settled = self._serve(batch, threads)
            with self._lock:  # who puts answers together takes the next batch soon
                self._running -= 1
                self._slow -= slow
            self._answer(settled)

    def _serve_quick(self) -> None:
        """Run what takes next to no time beside slow batches that hold all lanes."""
        while True:
            with self._lock:
                self._quick_ready.wait_for(lambda: self._held_up() or self._closed)
                if self._closed:
                    return
                batch = self._queue.take_quick(time.monotonic())
            self._answer(self._serve(batch, 1))

    def _held_up(self) -> bool:
        """Whether what takes next to no time waits for slow batches only."""
        return self._slow == self._lanes and self._queue.quick

    def _serve(self, batch: Batch[Pending], threads: int) -> list[Pending]:
        """Run a batch, and refuse what came too late for it; calls that have all their rows."""
        for pending in {entry.slot for entry in batch.late}:
            self._fail(pending, _too_late(pending))
        return self._run(batch, threads) if batch.entries else []

    def _run(self, batch: Batch[Pending], threads: int) -> list[Pending]:
        calls = {entry.slot for entry in batch.entries}
        started = time.monotonic()
        for pending in calls:
            pending.first_run = pending.first_run or started
        rows = self._spread(batch, threads, started)
        self._housekeeper.after_batch()
        seconds = time.monotonic() - started
        with self._lock:
            self._queue.observe(batch.cost, seconds)
            self._stats = _counted(self._stats, batch, seconds)
            for pending in calls:
                pending.run_s += seconds
            for entry, row in zip(batch.entries, rows, strict=True):
                entry.slot.settle(entry.index, row)
                entry.slot.ahead -= entry.cost
            parked = [p for p in calls if p.parked and not self._far_ahead(p)]
            for pending in parked:
                pending.parked = False
            settled = [pending for pending in calls if pending.left == 0 and pending.alive]
        for pending in parked:
            self._put_chore(pending)
        return settled

    def _answer(self, settled: Sequence[Pending]) -> None:
        """Put the answers of a batch together."""
        with self._together() if len(settled) > 1 else nullcontext():
            for pending in settled:
                if pending.size <= INLINE_ITEMS:
                    self._finish(pending)
                else:
                    self._put_chore(pending)

    def _spread(self, batch: Batch[Pending], threads: int, now: float) -> list[Any]:
        """Run a batch with so many threads, where that can be said."""
        if self._wide is None:
            return self._rows(batch.entries)
        self._wide.spread(threads)
        if threads == 1:
            return self._rows(batch.entries)
        began = time.thread_time()
        rows = self._rows(batch.entries)
        ended = time.monotonic()
        self._width.observe(threads, time.thread_time() - began, ended - now, ended)
        return rows

    def _rows(self, entries: Sequence[Entry[Pending]]) -> list[Any]:
        """One row per entry, or its error; a failing batch is halved until the culprit is alone."""
        try:
            rows = list(self.engine.run([entry.features for entry in entries]))
            if len(rows) == len(entries):
                return rows
            raise EngineFailed(f"the model gave {len(rows)} rows for {len(entries)} inputs")
        except Exception as error:  # whatever an engine raises is the culprit's answer
            if len(entries) == 1:
                return [_as_ours(error)]
        middle = len(entries) // 2
        return self._rows(entries[:middle]) + self._rows(entries[middle:])


def _failed(error: StelaeError) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_exception(error)
    return future


def _resolve(future: Future[Any], *, result: Any = None, error: StelaeError | None = None) -> None:
    if not future.set_running_or_notify_cancel():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)


def _too_late(pending: Pending) -> DeadlineExceeded:
    waited = time.monotonic() - pending.arrived
    return DeadlineExceeded(f"the request waited {waited:.2f} s, longer than the time it was given")


def _as_ours(error: Exception) -> StelaeError:
    if isinstance(error, StelaeError):
        return error
    return EngineFailed(f"the model failed: {type(error).__name__}: {error}")


def _counted(stats: RunnerStats, batch: Batch[Pending], seconds: float) -> RunnerStats:
    return RunnerStats(
        batches=stats.batches + 1,
        entries=stats.entries + len(batch.entries),
        tokens=stats.tokens + batch.cost,
        run_seconds=stats.run_seconds + seconds,
    )
