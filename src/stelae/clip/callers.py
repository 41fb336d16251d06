"""Where a caller's own code runs while its documents are on the way."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from inspect import isawaitable
from typing import Any, TypeVar

from stelae.clip.calls import Batch, Call

T = TypeVar("T")


class AsyncCaller:
    """A caller with an event loop: callbacks run in it, generators in worker threads beside it.

    Args:
        call: Whose content is read.
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        if isinstance(call.content, AsyncIterable):
            self._streamed: AsyncIterator[Batch] | None = self._cut(call.content)
        else:
            self._streamed, self._batches = None, call.batches()

    async def _cut(self, content: AsyncIterable[Any]) -> AsyncIterator[Batch]:
        start, values = 0, []
        async for value in content:
            values.append(value)
            if len(values) == self._call.batch_size:
                yield self._call.pieces(values, start)
                start, values = start + len(values), []
        if values:
            yield self._call.pieces(values, start)

    async def batch(self) -> Batch | None:
        """See ``exchange.Caller``."""
        if self._streamed is not None:
            return await anext(self._streamed, None)
        if self._call.total is not None:
            return next(self._batches, None)
        return await asyncio.to_thread(next, self._batches, None)

    async def tell(self, callback: Callable[[T], Awaitable[object] | object], value: T) -> None:
        """See ``exchange.Caller``."""
        told = callback(value)
        if isawaitable(told):
            await told


class SyncCaller:
    """A caller without one: its thread does the errands that the work in another thread has.

    So a generator is read, and callbacks are called, in the thread that called, where they may
    use what belongs to it; meanwhile answers keep coming.

    Args:
        call: Whose content is read.
    """

    def __init__(self, call: Call) -> None:
        self._batches: Iterator[Batch] = call.batches()
        self._errands: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()

    async def batch(self) -> Batch | None:
        """See ``exchange.Caller``."""
        return await self._asked(lambda: next(self._batches, None))

    async def tell(self, callback: Callable[[T], Awaitable[object] | object], value: T) -> None:
        """See ``exchange.Caller``."""
        await self._asked(lambda: callback(value))

    async def _asked(self, work: Callable[[], T]) -> T:
        """Have the caller's thread do something."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def errand() -> None:
            try:
                result = work()
            except Exception as error:  # the caller's own, raised again there
                loop.call_soon_threadsafe(_fail, done, error)
            else:
                loop.call_soon_threadsafe(_settle, done, result)

        self._errands.put(errand)
        return await done

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the thread of loops, and its errands in this one.

        Returns:
            What it returned; raises what it raised.
        """
        running = asyncio.run_coroutine_threadsafe(work, LOOP.running())
        running.add_done_callback(lambda _: self._errands.put(None))
        try:
            while (errand := self._errands.get()) is not None:
                errand()
        except BaseException:
            running.cancel()  # an interrupt: stop sending, free the connection
            raise
        return running.result()


def _settle(done: asyncio.Future[T], result: T) -> None:
    if not done.done():
        done.set_result(result)


def _fail(done: asyncio.Future[Any], error: Exception) -> None:
    if not done.done():
        done.set_exception(error)


class LoopThread:
    """One event loop in a thread of its own, for all clients without one.

    It starts when it is first needed and ends with the process.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def running(self) -> asyncio.AbstractEventLoop:
        """The loop; a new one in a process that was forked."""
        with self._lock:
            if self._loop is None or self._thread is None or not self._thread.is_alive():
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name="stelae-clip", daemon=True
                )
                self._thread.start()
            return self._loop


LOOP = LoopThread()
