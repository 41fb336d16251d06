"""Transcripts that share a model: batches, callers who leave, failures, the end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from stelae.engines.listening.asks import Detect, Hear, Steps, Write
from stelae.engines.listening.hearer import Aligned, Decoding, Floats, Written
from stelae.engines.listening.loop import WindowLoop
from stelae.engines.mailbox import Mailbox
from stelae.errors import EngineFailed, OutOfMemory, ShuttingDown
from stelae.types import TranscribePiece

WINDOW = np.zeros(4, np.float32)


class Counting:
    """A model that counts: it hears the first number of a window and writes it.

    Attributes:
        batches: Windows of each step.
        gate: Set while steps may run.
        fault: Raised by every step, if there is one.
        at_once: Windows that it hears at once.
    """

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.gate = threading.Event()
        self.gate.set()
        self.fault: Exception | None = None
        self.at_once = 8

    def _step(self, windows: int) -> None:
        self.gate.wait()
        self.batches.append(windows)
        if self.fault is not None:
            raise self.fault

    @property
    def hears(self) -> int:
        return self.at_once

    def hear(self, features: Floats) -> Sequence[Any]:
        self._step(len(features))
        return [float(row[0]) for row in features]

    def languages(self, heard: Sequence[Any]) -> list[dict[int, float]]:
        self._step(len(heard))
        return [{int(one): 1.0} for one in heard]

    def write(
        self, heard: Sequence[Any], prompts: Sequence[Sequence[int]], how: Decoding
    ) -> list[Written]:
        self._step(len(heard))
        return [Written([int(one)], how.temperature, 0.0) for one in heard]

    def align(
        self,
        heard: Sequence[Any],
        prefix: Sequence[int],
        texts: Sequence[Sequence[int]],
        frames: Sequence[int],
    ) -> list[Aligned]:
        raise NotImplementedError

    def close(self) -> None:
        pass


@asynccontextmanager
async def looped(model: Counting, together: int = 8) -> AsyncIterator[WindowLoop]:
    loop = WindowLoop(model, lambda samples: samples, threads=2, together=together)
    try:
        yield loop
    finally:
        model.gate.set()
        await asyncio.to_thread(loop.close)


def window(number: int) -> Floats:
    return np.full(4, number, np.float32)


def steps(number: int, windows: int, tell: Callable[[int], None], prompt: int = 1) -> Steps:
    """Hear so many windows and write each."""
    for _ in range(windows):
        heard = yield Hear(window(number))
        written: Written = yield Write(heard, [0] * prompt, Decoding())
        tell(written.tokens[0])


class Caller:
    """Who waits for a transcript; its pieces tell positions."""

    def __init__(self) -> None:
        self.box: Mailbox[TranscribePiece] = Mailbox(64)

    def tell(self, number: int) -> None:
        self.box.put([TranscribePiece(position=float(number))])

    async def all(self) -> list[float | None]:
        found: list[float | None] = []
        while pieces := await self.box.take():
            found += [piece.position for piece in pieces]
        return found


async def test_each_caller_gets_what_its_own_windows_hold() -> None:
    model, callers = Counting(), [Caller() for _ in range(20)]
    async with looped(model) as loop:
        for number, caller in enumerate(callers):
            loop.add(steps(number, 3, caller.tell), caller.box)
        found = await asyncio.gather(*(caller.all() for caller in callers))
    assert found == [[float(number)] * 3 for number in range(20)]


async def test_windows_that_wait_run_together_up_to_the_most() -> None:
    model, callers = Counting(), [Caller() for _ in range(6)]
    model.gate.clear()
    async with looped(model, together=4) as loop:
        for number, caller in enumerate(callers):
            loop.add(steps(number, 1, caller.tell), caller.box)
        model.gate.set()
        await asyncio.gather(*(caller.all() for caller in callers))
    assert max(model.batches) <= 4
    assert sum(model.batches) == 12
    assert loop.stats.sequences == 12
    assert loop.stats.steps == len(model.batches)


async def test_what_a_model_hears_one_by_one_is_written_together() -> None:
    model, callers = Counting(), [Caller() for _ in range(4)]
    model.at_once = 1
    model.gate.clear()
    held = threading.Event()

    def features(samples: Floats) -> Floats:
        held.wait()
        return samples

    loop = WindowLoop(model, features, threads=4)
    for number, caller in enumerate(callers):
        loop.add(steps(number, 1, caller.tell), caller.box)
    held.set()
    model.gate.set()
    found = await asyncio.gather(*(caller.all() for caller in callers))
    await asyncio.to_thread(loop.close)
    assert found == [[0.0], [1.0], [2.0], [3.0]]
    assert model.batches[0] == 1
    assert sum(model.batches) == 8


async def test_prompts_of_different_lengths_do_not_run_together() -> None:
    model, callers = Counting(), [Caller() for _ in range(4)]
    async with looped(model) as loop:
        for number, caller in enumerate(callers):
            loop.add(steps(number, 1, caller.tell, prompt=number + 1), caller.box)
        await asyncio.gather(*(caller.all() for caller in callers))
    assert sum(model.batches) == 8
    assert len(model.batches) >= 5


async def test_who_leaves_costs_no_further_step() -> None:
    model, caller = Counting(), Caller()
    model.gate.clear()
    async with looped(model) as loop:
        loop.add(steps(1, 1000, caller.tell), caller.box)
        model.gate.set()
        await caller.box.take()
        caller.box.dropped = True
        loop.look()
        await caller.all()
        assert len(model.batches) < 1000


async def test_a_slow_reader_is_waited_for() -> None:
    model, caller = Counting(), Caller()
    caller.box = Mailbox(2)
    async with looped(model) as loop:
        loop.add(steps(1, 50, caller.tell), caller.box)
        found = 0
        while await caller.box.take():
            found += 1
            assert len(model.batches) <= 2 * (found + 3)
            loop.look()
    assert found == 50


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (ValueError("a shape is wrong"), EngineFailed),
        (MemoryError(), OutOfMemory),
        (RuntimeError("CUDA out of memory"), OutOfMemory),
    ],
)
async def test_what_the_model_raises_fails_these_calls_and_no_others(
    fault: Exception, kind: type[Exception]
) -> None:
    model, one, other = Counting(), Caller(), Caller()
    async with looped(model) as loop:
        model.fault = fault
        loop.add(steps(1, 1, one.tell), one.box)
        with pytest.raises(kind):
            await one.all()
        model.fault = None
        loop.add(steps(2, 1, other.tell), other.box)
        assert await other.all() == [2.0]


async def test_what_a_transcript_raises_fails_its_own_call() -> None:
    def broken() -> Steps:
        yield Detect(1.0)
        raise ValueError("the recording broke off")

    model, caller = Counting(), Caller()
    async with looped(model) as loop:
        loop.add(broken(), caller.box)
        with pytest.raises(EngineFailed, match="the recording broke off"):
            await caller.all()


async def test_at_the_end_what_is_under_way_is_told() -> None:
    model, caller = Counting(), Caller()
    model.gate.clear()
    loop = WindowLoop(model, lambda samples: samples)
    loop.add(steps(1, 1000, caller.tell), caller.box)
    ending = asyncio.ensure_future(asyncio.to_thread(loop.close))
    await asyncio.sleep(0)
    model.gate.set()
    with pytest.raises(ShuttingDown):
        await caller.all()
    await ending
    with pytest.raises(ShuttingDown):
        loop.add(steps(1, 1, caller.tell), caller.box)
