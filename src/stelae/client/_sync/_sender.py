# Generated from src/stelae/client/_async/_sender.py by tools/unasync.py: do not edit.
"""Carries out calls: several requests under way, each sent again where that makes sense."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Callable, Coroutine, Sequence
from contextlib import closing
from functools import partial
from typing import Any, TypeVar

from stelae.client import _gather, _options
from stelae.client._sync._crew import Crew, Job, each
from stelae.client._gather import Table
from stelae.client._items import AnyCall, Chunk
from stelae.client._options import Plan
from stelae.client._progress import shown
from stelae.client._retry import Deadline, Retries
from stelae.errors import StelaeError

R = TypeVar("R")
P = TypeVar("P")

Ask = Callable[[AnyCall, float | None], R]
"""A verb of the backend: a request, and the seconds it may take."""


class Sender:
    """Sends the requests of one client.

    Attributes:
        closed: Whether nothing may be sent any more.

    Args:
        retries: When to send again.
        timeout: Seconds for each request; ``None`` waits for ever.
        max_in_flight: Requests of one call that are under way at once.
    """

    def __init__(self, retries: Retries, timeout: float | None, max_in_flight: int) -> None:
        self.closed = False
        self._retries = retries
        self._timeout = timeout
        self._max_in_flight = max_in_flight

    def fill(
        self,
        table: Table[R],
        chunks: Sequence[Chunk],
        plan: Plan[AnyCall],
        ask: Ask[AnyCall, R],
    ) -> None:
        """Put the results of some chunks into a table; a single one is asked for right here."""
        total = sum(len(chunk.items) for chunk in chunks)
        if len(chunks) > 1:
            self.fill_from(table, each(chunks), total, plan, ask)
            return
        with shown(plan.progress, plan.verb, total) as advance:
            for chunk in chunks:
                table.add(chunk, self.run(chunk, plan, ask))
                advance(total)

    def fill_from(
        self,
        table: Table[R],
        chunks: Iterator[Chunk],
        total: int | None,
        plan: Plan[AnyCall],
        ask: Ask[AnyCall, R],
    ) -> None:
        """Put the results of chunks into a table as they come."""
        limit = None if plan.timeout is None else Deadline.after(plan.timeout)
        with shown(plan.progress, plan.verb, total) as advance:
            with closing(self.at_once(chunks, plan, limit, ask)) as results:
                for chunk, result in results:
                    table.add(chunk, result)
                    advance(len(chunk.items))

    def at_once(
        self,
        chunks: Iterator[Chunk],
        plan: Plan[AnyCall],
        limit: Deadline | None,
        ask: Ask[AnyCall, R],
    ) -> Generator[tuple[Chunk, R]]:
        """Results in the order of the chunks, with ``max_in_flight`` requests under way.

        Without a ``limit`` for all of them, each request has the time of the plan.
        """
        window: deque[tuple[Chunk, Job[R]]] = deque()
        with Crew() as crew:
            for chunk in chunks:
                job = crew.start(partial(self._run, chunk, plan, limit, crew, ask))
                window.append((chunk, job))
                while window and (len(window) >= self._max_in_flight or window[0][1].done()):
                    first, job = window.popleft()
                    yield first, crew.result(job)
            while window:
                first, job = window.popleft()
                yield first, crew.result(job)

    def run(self, chunk: Chunk, plan: Plan[AnyCall], ask: Ask[AnyCall, R]) -> R:
        """The result of one chunk."""
        return self._run(chunk, plan, None, Crew(), ask)

    def _run(
        self,
        chunk: Chunk,
        plan: Plan[AnyCall],
        limit: Deadline | None,
        crew: Crew,
        ask: Ask[AnyCall, R],
    ) -> R:
        call = chunk.call(plan.template)
        deadline = limit or Deadline.after(plan.timeout or self._timeout)
        try:
            return self._send(partial(ask, call), deadline, crew)
        except StelaeError as error:
            _gather.move(error, chunk.start)
            raise

    def ask(
        self, once: Callable[[float | None], R], timeout: float | None
    ) -> R:
        """The answer to a request that is no chunk."""
        seconds = _options.seconds(timeout, "timeout") or self._timeout
        return self._send(once, Deadline.after(seconds), Crew())

    def once(
        self, ask: Callable[[float | None], R], timeout: float | None
    ) -> R:
        """The answer to a request that must not be carried out twice: it is sent once."""
        self._check_open()
        return ask(_options.seconds(timeout, "timeout") or self._timeout)

    def told(
        self, tell: Callable[[float | None], Generator[list[P]]], timeout: float | None
    ) -> Generator[P]:
        """The pieces of an answer; it is asked for again while none has come, never later."""
        first, stream = self.ask(partial(_begun, tell), timeout)
        with closing(stream) as made:
            for piece in first:
                yield piece
            for pieces in made:
                for piece in pieces:
                    yield piece

    def _send(
        self,
        once: Callable[[float | None], R],
        deadline: Deadline,
        crew: Crew,
    ) -> R:
        """Ask the backend, and again while that makes sense: the one place that retries."""
        self._retries.budget.earn()
        attempt = 0
        while True:
            self._check_open()
            attempt += 1
            try:
                return once(deadline.left())
            except StelaeError as error:
                seconds = self._retries.wait(error, attempt, deadline)
            crew.pause(seconds)

    def _check_open(self) -> None:
        if self.closed:
            raise RuntimeError("this client is closed; make a new one")


def _begun(
    tell: Callable[[float | None], Generator[list[P]]], timeout: float | None
) -> tuple[list[P], Generator[list[P]]]:
    stream = tell(timeout)
    return next(stream), stream
