from __future__ import annotations

import asyncio

from stelae.engines.memory import GROWTH, Housekeeper
from stelae.server.tidying import ENOUGH, Tidier


class Heap:
    """A heap that grows with what passes, until it is trimmed."""

    def __init__(self) -> None:
        self.held = 0
        self.trimmed = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def trim(self) -> None:
        self.held = 0
        self._loop.call_soon_threadsafe(self.trimmed.set)


async def test_memory_is_given_back_once_many_bytes_have_passed() -> None:
    heap = Heap()
    tidier = Tidier(Housekeeper(lambda: heap.held, heap.trim), wait=0)
    heap.held = GROWTH + 1
    for _ in range(8):
        tidier.note(ENOUGH / 8)
        tidier.note(-ENOUGH / 8)
    async with asyncio.timeout(5):
        await heap.trimmed.wait()
    assert heap.held == 0


async def test_what_grew_under_load_is_given_back_when_that_is_over() -> None:
    heap = Heap()
    tidier = Tidier(Housekeeper(lambda: heap.held, heap.trim), wait=0)
    tidier.note(ENOUGH * 3)
    tidier.note(-ENOUGH)  # much is under way still
    heap.held = GROWTH // 2  # too little to be given back in mid-work
    async with asyncio.timeout(5):
        await asyncio.to_thread(bool)  # the loop turns
        assert tidier.waiting
        tidier.note(-2 * ENOUGH)
        await heap.trimmed.wait()
    assert heap.held == 0


async def test_small_requests_are_passed_over() -> None:
    heap = Heap()
    tidier = Tidier(Housekeeper(lambda: heap.held, heap.trim), wait=0)
    heap.held = GROWTH + 1
    tidier.note(ENOUGH * 2)  # held, and not given back yet
    tidier.note(-ENOUGH + 1)
    assert not tidier.waiting
