"""Bounds of one call on its way, with a way to the server that a test opens and shuts."""

from __future__ import annotations

import asyncio
from typing import Any

from fix_clip import encoded

from stelae.clip import verbs
from stelae.clip.callers import AsyncCaller
from stelae.clip.carriers.base import Answer
from stelae.clip.exchange import LOADED, exchange
from stelae.wire.clip.messages import DataRequest


class Gate:
    """A carrier that lets nothing through before it is opened."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.full = asyncio.Event()
        self.waiting: list[DataRequest] = []
        self.most = 0

    async def send(self, request: DataRequest) -> Answer:
        self.waiting.append(request)
        self.most = max(self.most, len(self.waiting))
        if len(self.waiting) == LOADED:
            self.full.set()
        await self.open.wait()
        self.waiting.remove(request)
        answer: Answer = asyncio.get_running_loop().create_future()
        answer.set_result(await encoded(request))
        return answer


async def test_few_batches_are_in_memory_before_they_are_sent() -> None:
    gate, done = Gate(), []
    call, results = verbs.encoding([f"text {n}" for n in range(50)], {"batch_size": 1})
    running: asyncio.Task[Any] = asyncio.create_task(
        exchange(call, gate, AsyncCaller(call), results, done.append)
    )
    await asyncio.wait_for(gate.full.wait(), 5)
    gate.open.set()
    await running
    assert gate.most == LOADED
    assert sum(done) == 50
    assert results.all().shape == (50, 3)


async def test_who_gives_up_takes_nothing_more_from_the_content() -> None:
    gate, taken = Gate(), []

    def texts() -> Any:
        for number in range(1000):
            taken.append(number)
            yield "text"

    call, results = verbs.encoding(texts(), {"batch_size": 1, "prefetch": 5})
    running = asyncio.create_task(
        exchange(call, gate, AsyncCaller(call), results, lambda count: None)
    )
    await asyncio.wait_for(gate.full.wait(), 5)
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
    assert len(taken) <= 6
