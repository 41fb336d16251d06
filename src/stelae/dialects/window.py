"""Several messages of one stream in work at once, and no more than agreed."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self


class Window:
    """Runs work for the messages of a stream; whoever reads them waits while it is full.

    Leaving the block waits for what is in work. If one piece of work fails, the others and
    the block are cancelled, and that failure alone is raised::

        async with Window(at_once) as window:
            async for message in messages:
                await window.start(answer(message))

    Args:
        at_once: Most pieces of work at the same time, at least 1.
    """

    def __init__(self, at_once: int) -> None:
        self._free = asyncio.Semaphore(max(1, at_once))
        self._group = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        """Open the window."""
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait for what is in work."""
        try:
            await self._group.__aexit__(kind, problem, trace)
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None

    async def room(self) -> None:
        """Wait until another piece of work can be started at once."""
        async with self._free:
            pass

    async def start(self, work: Coroutine[Any, Any, object]) -> asyncio.Task[object]:
        """Start a piece of work as soon as there is room."""
        try:
            await self._free.acquire()
            task = self._group.create_task(work)
        except BaseException:
            work.close()
            raise
        task.add_done_callback(lambda done: self._free.release())
        return task
