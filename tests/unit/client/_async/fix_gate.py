"""A place where tests hold requests; ``_sync/fix_gate.py`` is its twin for threads."""

from __future__ import annotations

import asyncio


class AsyncGate:
    """Holds whoever comes until it is opened.

    Attributes:
        waiting: How many are held now.
        most: How many were held at once.
        gone: How many left without being let through.
    """

    def __init__(self) -> None:
        self.waiting = self.most = self.gone = 0
        self._open = asyncio.Event()
        self._changed = asyncio.Condition()

    async def wait(self) -> None:
        async with self._changed:
            self.waiting += 1
            self.most = max(self.most, self.waiting)
            self._changed.notify_all()
        try:
            await self._open.wait()
        except asyncio.CancelledError:
            self.gone += 1
            raise
        finally:
            self.waiting -= 1

    def open(self) -> None:
        self._open.set()

    async def until(self, waiting: int) -> None:
        """Return once so many are held."""
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(lambda: self.waiting >= waiting)
