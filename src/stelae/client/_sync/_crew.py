"""Concurrent work with threads; ``_async/_crew.py`` says the same with asyncio, by hand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextvars import copy_context
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from stelae.errors import Cancelled

T = TypeVar("T")

STREAMS = (Iterable,)
"""What can be read item by item."""

AnyIterable = Iterable


class Job(Generic[T]):
    """Work under way, in a thread of its own.

    The thread is a daemon: an interrupted program ends without waiting for answers.
    """

    def __init__(self, work: Callable[[], T]) -> None:
        self._result: T
        self._error: BaseException | None = None
        self._ended = threading.Event()
        context = copy_context()
        thread = threading.Thread(
            target=context.run, args=(self._run, work), name="stelae-request", daemon=True
        )
        thread.start()

    def _run(self, work: Callable[[], T]) -> None:
        try:
            self._result = work()
        except BaseException as error:
            self._error = error  # raised again in result(), in the caller's thread
        finally:
            self._ended.set()

    def done(self) -> bool:
        """Whether the result, or an error, is there."""
        return self._ended.is_set()

    def result(self) -> T:
        """The result, once it is there; raises what the work raised."""
        self._ended.wait()
        if self._error is not None:
            raise self._error
        return self._result


class Crew:
    """The jobs of one call; whoever leaves the ``with`` lets none of them try again.

    A request on its way cannot be taken back from another thread: it ends by
    itself, unheard, at the latest when its time is over or the client is closed.
    """

    def __init__(self) -> None:
        self._stopped = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopped.set()

    def start(self, work: Callable[[], T]) -> Job[T]:
        """Begin some work beside the caller's."""
        return Job(work)

    def result(self, job: Job[T]) -> T:
        """The result of a job."""
        return job.result()

    def pause(self, seconds: float) -> None:
        """Wait, unless the crew is stopped before.

        Raises:
            Cancelled: It is stopped.
        """
        if self._stopped.wait(seconds):
            raise Cancelled("the call was given up before its request was sent again")


def each(items: Iterable[T]) -> Iterator[T]:
    """The items of an iterable."""
    return iter(items)
