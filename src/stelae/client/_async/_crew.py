"""Concurrent work with asyncio; ``_sync/_crew.py`` says the same with threads, by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Iterable, Iterator
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

T = TypeVar("T")

STREAMS = (Iterable, AsyncIterable)
"""What can be read item by item."""

AnyIterable = Iterable[T] | AsyncIterable[T]


class AsyncJob(Generic[T]):
    """Work under way."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._task = asyncio.create_task(work())

    def done(self) -> bool:
        """Whether the result, or an error, is there."""
        return self._task.done()

    async def result(self) -> T:
        """The result, once it is there; raises what the work raised."""
        return await self._task

    async def stop(self) -> None:
        """Cancel the work and wait until it has ended."""
        self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.exception()


class AsyncCrew:
    """The jobs of one call; whoever leaves the ``async with`` stops those still running."""

    def __init__(self) -> None:
        self._jobs: list[AsyncJob[Any]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for job in self._jobs:
            await job.stop()

    async def start(self, work: Callable[[], Coroutine[Any, Any, T]]) -> AsyncJob[T]:
        """Begin some work beside the caller's."""
        job = AsyncJob(work)
        self._jobs.append(job)
        await asyncio.sleep(0)  # lets the work begin before more of it is prepared
        return job

    async def result(self, job: AsyncJob[T]) -> T:
        """The result of a job, which is then forgotten."""
        try:
            return await job.result()
        finally:
            self._jobs.remove(job)

    async def pause(self, seconds: float) -> None:
        """Wait, unless the crew is stopped before."""
        await asyncio.sleep(seconds)


class _Steps(AsyncIterator[T]):
    def __init__(self, items: Iterator[T]) -> None:
        self._items = items

    async def __anext__(self) -> T:
        for item in self._items:
            return item
        raise StopAsyncIteration


def async_each(items: AnyIterable[T]) -> AsyncIterator[T]:
    """The items of either kind of iterable."""
    return aiter(items) if isinstance(items, AsyncIterable) else _Steps(iter(items))
