from __future__ import annotations

import asyncio

import pytest

from stelae.dialects.window import Window


class Work:
    """Work that ends when it is told to; counts how much of it there is."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.running = self.most = self.done = self.cancelled = 0

    async def __call__(self) -> None:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.go.wait()
            self.done += 1
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1


async def turns(count: int = 10) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_no_more_is_in_work_than_agreed_and_all_is_done_at_the_end() -> None:
    work = Work()

    async def feed() -> None:
        async with Window(3) as window:
            for _ in range(10):
                await window.start(work())

    feeding = asyncio.create_task(feed())
    await turns()
    assert work.running == 3
    work.go.set()
    await feeding
    assert (work.most, work.done) == (3, 10)


async def test_failure_of_one_ends_the_others_and_is_raised_itself() -> None:
    work = Work()

    async def fail() -> None:
        raise ValueError("broken")

    async def feed() -> None:
        async with Window(3) as window:
            await window.start(work())
            await window.start(fail())
            await work.go.wait()

    with pytest.raises(ValueError, match="broken"):
        await feed()
    assert (work.cancelled, work.running) == (1, 0)


async def test_cancelled_reader_cancels_what_is_in_work() -> None:
    work = Work()

    async def feed() -> None:
        async with Window(2) as window:
            for _ in range(10):
                await window.start(work())

    feeding = asyncio.create_task(feed())
    await turns()
    feeding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await feeding
    assert (work.cancelled, work.done) == (2, 0)


async def test_room_waits_while_the_window_is_full() -> None:
    work = Work()
    async with Window(1) as window:
        await window.start(work())
        waiting = asyncio.create_task(window.room())
        await turns()
        assert not waiting.done()
        work.go.set()
        await waiting


@pytest.mark.parametrize("asked", [0, -1])
async def test_window_is_never_shut(asked: int) -> None:
    work = Work()
    work.go.set()
    async with Window(asked) as window:
        await window.start(work())
    assert work.done == 1


async def test_work_that_never_began_is_not_missed() -> None:
    work = Work()

    async def feed() -> None:
        async with Window(2) as window:
            await window.start(work())
            raise ValueError("the reader failed")

    with pytest.raises(ValueError, match="the reader failed"):
        await feed()
    assert (work.most, work.cancelled) == (0, 0)
