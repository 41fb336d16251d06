"""The event loop around a stream engine: one task per call, pieces as fast as they are taken.

A call has a window of messages that may be on their way; each one taken by its reader
gives credit for another. Without credit its task asks the engine for nothing, and the engine
stops making pieces a bounded number ahead: a reader who is slow costs no memory.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import aclosing
from typing import Any

from stelae.engines.base import AnyStreamEngine
from stelae.errors import DeadlineExceeded, EngineFailed, ShuttingDown, StelaeError
from stelae.scheduler.queue import Depth
from stelae.scheduler.stats import RunnerStats

WINDOW = 16
"""Messages of a call on their way at once."""

Emit = Callable[[list[Any]], None]
"""Takes pieces of an answer; must not block."""


class Credit:
    """How many more messages of one call may be sent; on its own event loop."""

    def __init__(self, window: int = WINDOW) -> None:
        self._left = window
        self._given = asyncio.Event()

    @property
    def spent(self) -> bool:
        """Whether the call waits for its reader."""
        return self._left < 1

    def give(self, count: int) -> None:
        """The reader took so many."""
        self._left += count
        self._given.set()

    async def take(self) -> None:
        """Use one, once there is one."""
        while self._left < 1:
            self._given.clear()
            await self._given.wait()
        self._left -= 1


class Stream:
    """One call under way.

    Attributes:
        future: Resolves with the last piece, or with the error; cancelling it ends the work.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, credit: Credit) -> None:
        self._loop, self._credit = loop, credit
        self.future: Future[Any] = Future()

    def grant(self, count: int) -> None:
        """The reader took so many messages."""
        self._loop.call_soon_threadsafe(self._credit.give, count)


class StreamRunner:
    """Runs one stream engine on an event loop in a thread of its own."""

    def __init__(self, engine: AnyStreamEngine) -> None:
        self.engine = engine
        self._loop = asyncio.new_event_loop()
        self._credits: dict[Future[Any], Credit] = {}
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._draining = self._closed = False
        self._thread = threading.Thread(target=self._serve, name="stelae-streams", daemon=True)
        self._thread.start()

    def submit(self, call: Any, *, timeout: float | None, emit: Emit) -> Stream:
        """Take a call in.

        Args:
            call: Any call that the engine takes.
            timeout: Seconds after which the answer is worth nothing.
            emit: Takes all pieces but the last, on the event loop's thread.

        Returns:
            The call; every error arrives through its future.
        """
        credit = Credit()
        stream = Stream(self._loop, credit)
        with self._lock:
            if self._draining:
                refusal = ShuttingDown("the model is being unloaded", retry_after=1.0)
                stream.future.set_exception(refusal)
                return stream
            work = self._answer(call, timeout, emit, credit)
            stream.future = asyncio.run_coroutine_threadsafe(work, self._loop)
            self._credits[stream.future] = credit
        stream.future.add_done_callback(self._forget)
        return stream

    @property
    def depth(self) -> Depth:
        """Calls that the engine works on; those that wait for their reader are none."""
        with self._lock:
            return Depth(sum(not credit.spent for credit in self._credits.values()), 0)

    def stats(self) -> RunnerStats:
        """Counters since the start."""
        made = self.engine.stats
        rate = made.tokens / made.seconds if made.seconds else 0.0
        return RunnerStats(
            batches=made.steps,
            entries=made.sequences,
            tokens=made.tokens,
            run_seconds=made.seconds,
            rate=rate,
        )

    def drain(self, timeout: float) -> bool:
        """Refuse new calls and wait for the accepted ones; False if time ran out."""
        with self._lock:
            self._draining = True
            return self._idle.wait_for(lambda: not self._credits, timeout)

    def close(self) -> None:
        """End what is left, free the engine and stop the thread."""
        with self._lock:
            self._draining = self._closed = True
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    async def _end(self) -> None:
        await self.engine.aclose()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _answer(self, call: Any, timeout: float | None, emit: Emit, credit: Credit) -> Any:
        try:
            async with asyncio.timeout(timeout):
                return await self._pass_on(call, emit, credit)
        except TimeoutError as error:
            raise DeadlineExceeded(f"no whole answer within the {timeout:g} s given") from error
        except asyncio.CancelledError:
            if self._closed:
                raise ShuttingDown("the model was unloaded before the answer was whole") from None
            raise
        except StelaeError:
            raise
        except Exception as error:  # whatever an engine raises is this call's answer
            raise EngineFailed(f"the model failed: {type(error).__name__}: {error}") from error

    async def _pass_on(self, call: Any, emit: Emit, credit: Credit) -> Any:
        async with aclosing(self.engine.stream(call)) as pieces:
            async for made in pieces:
                last = made[-1] if made[-1].usage is not None else None
                if rest := made if last is None else made[:-1]:
                    await credit.take()
                    emit(rest)
                if last is not None:
                    return last
        raise EngineFailed("the model's answer broke off")

    def _forget(self, future: Future[Any]) -> None:
        with self._lock:
            self._credits.pop(future, None)
            if not self._credits:
                self._idle.notify_all()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()
