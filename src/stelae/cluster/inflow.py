"""Parts of one answer between who brings them and who takes them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from typing import Any, Generic, TypeVar

from stelae.scheduler.streams import WINDOW

SHARE = WINDOW // 2
"""Parts that are taken before as many more may be sent: each word of it wakes the other side."""

T = TypeVar("T")


class Inflow(Generic[T]):
    """Holds parts until they are taken; on one event loop.

    Args:
        end: Done when no further part comes, with an error if the answer is not whole.
        grant: Called with the number of parts that were taken: as many more may be sent.

    Attributes:
        begun: Whether a part has come.
    """

    def __init__(self, end: asyncio.Future[Any], grant: Callable[[int], None]) -> None:
        self.begun = False
        self._end, self._grant = end, grant
        self._parts: deque[T] = deque()
        self._stir = asyncio.Event()
        end.add_done_callback(lambda _: self._stir.set())

    def put(self, part: T) -> None:
        """A part has come."""
        self.begun = True
        self._parts.append(part)
        self._stir.set()

    async def parts(self) -> AsyncGenerator[T]:
        """Parts in order, until there are no more; what ``end`` says is left to the caller."""
        taken = 0
        while True:
            while self._parts:
                part = self._parts.popleft()
                taken += 1
                if taken == SHARE:
                    self._grant(taken)
                    taken = 0
                yield part
            if self._end.done():
                return
            self._stir.clear()
            await self._stir.wait()
