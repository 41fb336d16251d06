from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from stelae.engines.base import Prepared
from stelae.engines.fake.engine import FakeEngine, FakeJob, vector
from stelae.errors import (
    DeadlineExceeded,
    EngineFailed,
    InputTooLong,
    InvalidInput,
    QueueFull,
    ShuttingDown,
    from_info,
)
from stelae.scheduler.pending import PREPARE_ITEMS
from stelae.scheduler.queue import Limits
from stelae.scheduler.runner import Runner
from stelae.types import EncodeCall, Item, Truncate

WAIT = 10.0


def call(*texts: str, truncate: Truncate = Truncate.END) -> EncodeCall:
    return EncodeCall(model="fake", items=[Item(text=t) for t in texts], truncate=truncate)


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(held=True)


@pytest.fixture
def runner(engine: FakeEngine) -> Iterator[Runner]:
    runner = Runner(engine, Limits(queue_tokens=50))
    yield runner
    engine.release()
    runner.close()


def test_answers_in_order_with_the_vectors_of_each_text(engine: FakeEngine, runner: Runner) -> None:
    engine.release()
    result = runner.submit(call("one", "two", "three")).result(WAIT)
    np.testing.assert_array_equal(result.dense, [vector(t) for t in ("one", "two", "three")])
    assert result.tokens.tolist() == [1, 1, 1]
    assert result.timing.total_ms >= result.timing.run_ms > 0


def test_answered_calls_leave_nothing_to_the_collector(engine: FakeEngine) -> None:
    engine.release()
    runner = Runner(engine)
    gc.disable()
    try:
        known = [weakref.ref(runner.submit(call(text))) for text in ("one", "!bad", "two")]
        assert runner.drain(WAIT)
        runner.close()
        assert [ref() for ref in known] == [None] * len(known)
    finally:
        gc.enable()


def test_large_call_is_split_into_batches_and_put_together_in_order(engine: FakeEngine) -> None:
    engine.release()
    runner = Runner(engine, Limits(batch_tokens=64))
    texts = [f"text number {i}" for i in range(1000)]
    result = runner.submit(call(*texts)).result(WAIT)
    np.testing.assert_array_equal(result.dense, [vector(t) for t in texts])
    assert max(engine.batches) <= 64 // 3
    runner.close()


def test_refused_item_leaves_its_neighbours_unharmed(engine: FakeEngine, runner: Runner) -> None:
    engine.release()
    result = runner.submit(call("a", "!bad", "b")).result(WAIT)
    np.testing.assert_array_equal(result.dense[[0, 2]], [vector("a"), vector("b")])
    assert np.isnan(result.dense[1]).all()
    assert isinstance(from_info(result.errors[1]), InvalidInput)


def test_item_that_breaks_the_device_is_found_alone(engine: FakeEngine, runner: Runner) -> None:
    held = runner.submit(call("first"))
    texts = ["a", "b", "!fail", "c", "d"]
    broken = runner.submit(call(*texts))
    neighbour = runner.submit(call("neighbour"))
    engine.release()
    held.result(WAIT)
    result = broken.result(WAIT)
    assert list(result.errors) == [2]
    assert isinstance(from_info(result.errors[2]), EngineFailed)
    np.testing.assert_array_equal(result.dense[4], vector("d"))
    np.testing.assert_array_equal(neighbour.result(WAIT).dense[0], vector("neighbour"))


class KnownJob(FakeJob):
    """Entries whose rows are known before they would run."""

    def prepare(self, start: int, stop: int) -> list[Prepared[str]]:
        found = super().prepare(start, stop)
        return [replace(p, features=None, row=vector(p.features or "")) for p in found]


class KnowingEngine(FakeEngine):
    def open(self, call: Any) -> KnownJob:
        return KnownJob(self, call)


@pytest.mark.parametrize("size", [1, 100])
def test_rows_that_are_known_do_not_run(size: int) -> None:
    engine = KnowingEngine()
    runner = Runner(engine)
    try:
        items = [Item(text=f"t{i}") for i in range(size)]
        result = runner.submit(EncodeCall(model="fake", items=items)).result(10)
        assert len(result.tokens) == size
        assert not engine.batches
    finally:
        runner.close()


def test_call_of_failed_items_only_is_answered(engine: FakeEngine, runner: Runner) -> None:
    result = runner.submit(call("!bad", "!bad")).result(WAIT)
    assert sorted(result.errors) == [0, 1]
    assert engine.seen == []


def test_truncation_policy_error_refuses_the_item() -> None:
    runner = Runner(FakeEngine(max_tokens=2))
    result = runner.submit(call("a b c", "a b", truncate=Truncate.ERROR)).result(WAIT)
    assert list(result.errors) == [0]
    assert isinstance(from_info(result.errors[0]), InputTooLong)
    runner.close()


def test_full_queue_refuses_at_once_with_a_hint_when_to_come_back(
    engine: FakeEngine, runner: Runner
) -> None:
    first = runner.submit(call(*["word " * 10] * 4))
    refused = runner.submit(call("word " * 10))
    assert refused.done()
    error = refused.exception()
    assert isinstance(error, QueueFull)
    assert error.retry_after is not None
    assert 0 < error.retry_after <= 60
    engine.release()
    assert first.result(WAIT).errors == {}


def test_cancelled_call_never_reaches_the_device(engine: FakeEngine, runner: Runner) -> None:
    blocked = runner.submit(call("first"))
    assert engine.entered.wait(WAIT)
    dropped = runner.submit(call("second"))
    assert dropped.cancel()
    engine.release()
    blocked.result(WAIT)
    runner.submit(call("third")).result(WAIT)
    assert engine.seen == ["first", "third"]
    assert runner.depth.calls == 0


def test_late_call_is_refused_and_never_run(engine: FakeEngine, runner: Runner) -> None:
    late = runner.submit(call("late"), timeout=0.0)
    engine.release()
    assert isinstance(late.exception(WAIT), DeadlineExceeded)
    assert "late" not in engine.seen


def test_drain_answers_what_was_accepted_and_refuses_the_rest(
    engine: FakeEngine, runner: Runner
) -> None:
    accepted = runner.submit(call("accepted"))
    drained: list[bool] = []
    waiter = threading.Thread(target=lambda: drained.append(runner.drain(WAIT)))
    waiter.start()
    while not isinstance(runner.submit(call("new")).exception(WAIT), ShuttingDown):
        engine.release()
    engine.release()
    waiter.join(WAIT)
    assert drained == [True]
    assert accepted.result(WAIT).errors == {}


def test_close_fails_what_is_left_and_frees_the_engine(engine: FakeEngine) -> None:
    runner = Runner(engine, Limits(batch_items=1))
    calls = [runner.submit(call(str(i))) for i in range(3)]
    closer = threading.Thread(target=runner.close)
    closer.start()
    assert isinstance(calls[2].exception(WAIT), ShuttingDown)
    engine.release()
    closer.join(WAIT)
    assert engine.closed


def test_urgent_call_passes_a_full_queue(engine: FakeEngine, runner: Runner) -> None:
    runner.submit(call(*["word " * 10] * 4))
    check = runner.submit(call("check"), urgent=True)
    engine.release()
    assert check.result(WAIT).errors == {}


def test_engine_that_cannot_open_a_call_fails_that_call_only() -> None:
    class Broken(FakeEngine):
        def open(self, call: EncodeCall) -> FakeJob:
            if call.items[0].text == "odd":
                raise ZeroDivisionError
            return super().open(call)

    runner = Runner(Broken())
    assert isinstance(runner.submit(call("odd")).exception(WAIT), EngineFailed)
    assert runner.submit(call("even")).result(WAIT).errors == {}
    runner.close()


def test_drained_means_that_every_future_has_its_answer(engine: FakeEngine) -> None:
    runner = Runner(engine)
    futures = [runner.submit(call(str(i))) for i in range(20)]
    engine.release()
    assert runner.drain(WAIT)
    assert all(future.done() for future in futures)
    runner.close()


def test_error_of_the_whole_call_is_the_answer_of_that_call() -> None:
    class Refusal(FakeJob):
        def prepare(self, start: int, stop: int) -> list[Prepared[str]]:
            raise InvalidInput("not this one", param="dimensions")

    class Refusing(FakeEngine):
        def open(self, call: EncodeCall) -> FakeJob:
            return Refusal(self, call)

    runner = Runner(Refusing())
    error = runner.submit(call("a")).exception(WAIT)
    assert isinstance(error, InvalidInput)
    assert error.param == "dimensions"
    runner.close()


class CountingEngine(FakeEngine):
    """Notes how far preparing is ahead of running, in items, at each batch."""

    def __init__(self) -> None:
        super().__init__()
        self.prepared = self.ran = 0
        self.ahead: list[int] = []

    def open(self, call: Any) -> Any:
        return CountingJob(self, call)

    def run(self, batch: Sequence[str]) -> Any:
        self.ahead.append(self.prepared - self.ran)
        self.ran += len(batch)
        return super().run(batch)


class CountingJob(FakeJob):
    def __init__(self, engine: CountingEngine, call: EncodeCall) -> None:
        super().__init__(engine, call)
        self.counts = engine

    def prepare(self, start: int, stop: int) -> Any:
        part = super().prepare(start, stop)
        self.counts.prepared += len(part)
        return part


def test_a_huge_call_is_not_prepared_far_ahead_of_the_device() -> None:
    engine = CountingEngine()
    runner = Runner(engine, Limits(batch_tokens=16, ahead_tokens=64))
    texts = [f"text number {i}" for i in range(3000)]
    result = runner.submit(call(*texts)).result(WAIT)
    np.testing.assert_array_equal(result.dense, [vector(t) for t in texts])
    assert max(engine.ahead) <= 64 + PREPARE_ITEMS
    runner.close()


class WideEngine(FakeEngine):
    """Ends its first batch only when another has begun."""

    lanes, cores = 2, 8

    def __init__(self) -> None:
        super().__init__()
        self.another = threading.Event()
        self.threads: list[int] = []

    def spread(self, threads: int) -> None:
        self.threads.append(threads)

    def run(self, batch: Sequence[Any]) -> Sequence[Any]:
        if self.entered.is_set():
            self.another.set()
        self.entered.set()
        assert self.another.wait(WAIT)
        return super().run(batch)


def test_a_wide_engine_runs_two_batches_at_once_and_shares_a_call_between_them() -> None:
    engine = WideEngine()
    runner = Runner(engine, Limits(tokens_per_second=100))
    texts = [f"text number {i}" for i in range(PREPARE_ITEMS)]
    result = runner.submit(call(*texts)).result(WAIT)
    np.testing.assert_array_equal(result.dense, [vector(t) for t in texts])
    assert sum(engine.batches) == len(texts)
    runner.close()


def test_what_comes_while_a_lane_answers_is_shared_with_it() -> None:
    engine = WideEngine()
    runner = Runner(engine)
    answering, told = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        answering.set()
        assert told.wait(WAIT)

    runner.submit(call("first")).add_done_callback(hold)
    engine.another.set()
    assert answering.wait(WAIT)
    texts = [f"text number {i}" for i in range(PREPARE_ITEMS)]
    runner.submit(call(*texts)).result(WAIT)
    told.set()
    assert engine.batches[:2] == [1, PREPARE_ITEMS // 2]
    runner.close()


def test_a_failing_batch_of_a_wide_engine_leaves_its_lane_working() -> None:
    engine = WideEngine()
    engine.another.set()
    runner = Runner(engine, Limits())
    for _ in range(3):
        broken = runner.submit(call("a", "!fail")).result(WAIT)
        assert isinstance(from_info(broken.errors[1]), EngineFailed)
        np.testing.assert_array_equal(broken.dense[0], vector("a"))
    assert set(engine.threads) <= {1, 4, 8}
    runner.close()


class ForgetfulEngine(FakeEngine):
    """Gives no row for texts that begin with an exclamation mark."""

    def run(self, batch: Sequence[Any]) -> Sequence[Any]:
        return super().run([text for text in batch if not text.startswith("!")])


def test_an_engine_that_forgets_a_row_fails_that_input_and_serves_on() -> None:
    runner = Runner(ForgetfulEngine(), Limits())
    for _ in range(3):
        broken = runner.submit(call("a", "!lost", "b")).result(WAIT)
        assert isinstance(from_info(broken.errors[1]), EngineFailed)
        np.testing.assert_array_equal(broken.dense[[0, 2]], [vector("a"), vector("b")])
    runner.close()


class SlowEngine(WideEngine):
    """Ends batches of long texts only when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.held = threading.Semaphore(0)
        self.go = threading.Event()

    def run(self, batch: Sequence[Any]) -> Sequence[Any]:
        if any(len(text) > 100 for text in batch):
            self.held.release()
            assert self.go.wait(WAIT)
        return FakeEngine.run(self, batch)


def test_a_short_text_does_not_wait_for_long_ones_that_hold_all_lanes() -> None:
    engine = SlowEngine()
    runner = Runner(engine, Limits(tokens_per_second=1000))
    long = [runner.submit(call("word " * 200 + str(n))) for n in range(4)]
    for _ in range(engine.lanes):
        assert engine.held.acquire(timeout=WAIT)
    short = runner.submit(call("short")).result(WAIT)
    np.testing.assert_array_equal(short.dense[0], vector("short"))
    assert engine.threads[-1] == 1
    assert not any(each.done() for each in long)
    engine.go.set()
    for each in long:
        each.result(WAIT)
    runner.close()
