"""One thread that works for several callers, one step of each in turn.

For models that answer piece by piece and are not asked in batches: what a call wants is a
generator, each ``next`` of which is one step of the model. A long call holds up a short one by
no more than a step; a caller who leaves costs no further step, and one who is slow waits with a
bounded number of steps made ahead.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass
from typing import Generic, TypeVar

from msgspec.structs import replace

from stelae.engines.base import StreamStats
from stelae.engines.failures import as_ours
from stelae.engines.mailbox import Mailbox
from stelae.errors import ShuttingDown

AHEAD = 2
"""Steps of a call that are made ahead of who takes their pieces."""

P = TypeVar("P")

Work = Generator[list[P]]
"""Pieces of each step, which may be none; runs in the thread alone."""


class Turns(Generic[P]):
    """Runs the work of calls in a thread of its own.

    Args:
        name: Of the thread.
    """

    def __init__(self, name: str) -> None:
        self._stir = threading.Condition()
        self._calls: deque[_Call[P]] = deque()
        self._closed = False
        self.stats = StreamStats()
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()

    async def stream(self, work: Work[P]) -> AsyncGenerator[list[P]]:
        """Do a call's work; closing the iterator ends it within one step.

        Raises:
            StelaeError: The work failed, or the thread has ended.
        """
        call: _Call[P] = _Call(work, Mailbox(AHEAD))
        self._add(call)
        try:
            while pieces := await call.box.take():
                self._look()
                yield pieces
        finally:
            call.box.dropped = True
            self._look()

    async def aclose(self) -> None:
        """End after this step; calls under way fail with ``ShuttingDown``."""
        with self._stir:
            self._closed = True
            self._stir.notify()
        await asyncio.to_thread(self._thread.join)
        for call in self._calls:
            call.work.close()
            call.box.end(ShuttingDown("the model was unloaded before the answer was whole"))

    def _add(self, call: _Call[P]) -> None:
        with self._stir:
            if self._closed:
                raise ShuttingDown("the model is being unloaded", retry_after=1.0)
            self._calls.append(call)
            self._stir.notify()

    def _look(self) -> None:
        """Look again: pieces were taken, or a caller has left."""
        with self._stir:
            self._stir.notify()

    def _serve(self) -> None:
        while (call := self._next()) is not None:
            self._step(call)

    def _next(self) -> _Call[P] | None:
        """Whose turn it is; ``None`` at the end."""
        with self._stir:
            self._stir.wait_for(lambda: self._closed or any(c.waits for c in self._calls))
            if self._closed:
                return None
            call = next(call for call in self._calls if call.waits)
            self._calls.remove(call)
            self._calls.append(call)
            return call

    def _step(self, call: _Call[P]) -> None:
        started = time.monotonic()
        error = pieces = None
        try:
            if call.box.dropped:
                call.work.close()
            else:
                pieces = next(call.work, None)
        except Exception as raised:  # whatever a model raises is the answer to this call
            error = as_ours(raised)
        if pieces is None:
            with self._stir:
                self._calls.remove(call)
            call.box.end(error)
            return
        self._count(time.monotonic() - started)  # before its reader can have the pieces
        if pieces:
            call.box.put(pieces)

    def _count(self, seconds: float) -> None:
        before = self.stats
        self.stats = replace(
            before,
            steps=before.steps + 1,
            sequences=before.sequences + 1,
            seconds=before.seconds + seconds,
        )


@dataclass(slots=True, eq=False)
class _Call(Generic[P]):
    """A call under way.

    Attributes:
        work: Makes its pieces.
        box: Holds those that were made.
    """

    work: Work[P]
    box: Mailbox[P]

    @property
    def waits(self) -> bool:
        """Whether the thread has something to do for it."""
        return self.box.dropped or not self.box.full
