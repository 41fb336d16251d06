"""Pieces of an answer on their way from the thread that makes them to the loop that takes them."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import Generic, TypeVar

from stelae.errors import StelaeError, from_info

P = TypeVar("P")


class Mailbox(Generic[P]):
    """Takes pieces on a thread, gives them on the event loop of whoever made the box.

    Args:
        most: Lots that may wait to be taken.

    Attributes:
        dropped: Whether nobody waits for more.
    """

    def __init__(self, most: int) -> None:
        self._most, self._loop = most, asyncio.get_running_loop()
        self.dropped = False
        self._news = asyncio.Event()
        self._made: deque[list[P]] = deque()
        self._over = False
        self._error: StelaeError | None = None

    @property
    def full(self) -> bool:
        """Whether enough lots wait to be taken."""
        return len(self._made) >= self._most

    def put(self, pieces: list[P]) -> None:
        """A lot of pieces was made."""
        self._made.append(pieces)
        self._tell()

    def end(self, error: StelaeError | None = None) -> None:
        """No further piece will come."""
        self._error, self._over = error, True
        self._tell()

    async def take(self) -> list[P]:
        """The next lot; nothing once all were taken.

        Raises:
            StelaeError: The work failed; raised once the pieces made before are taken.
        """
        while not self._made and not self._over:
            await self._news.wait()
            self._news.clear()
        if self._made:
            return self._made.popleft()
        if self._error is not None:
            raise from_info(self._error.info)
        return []

    def _tell(self) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._news.set)
