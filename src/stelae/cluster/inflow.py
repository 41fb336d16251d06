"""Parts of one answer between who brings them and who takes them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Inflow(Generic[T]):
    """Holds parts until they are taken; on one event loop.

    Args:
        end: Done when no further part comes, with an error if the answer is not whole.
        grant: Called for each part that is taken: another may be sent.

    Attributes:
        begun: Whether a part has come.
    """

    def __init__(self, end: asyncio.Future[Any], grant: Callable[[], None]) -> None:
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
        while True:
            while self._parts:
                part = self._parts.popleft()
                self._grant()
                yield part
            if self._end.done():
                return
            self._stir.clear()
            await self._stir.wait()
