"""Give back the memory that large requests leave in the heap of this process.

The C library keeps what it has once had of the system: after 200 MB of pictures the server held
1.1 GB though nothing was under way. So the heap is looked after a while after many bytes have
passed, beside the event loop.
"""

from __future__ import annotations

import asyncio

from stelae.engines.memory import Housekeeper

ENOUGH = 64 << 20
"""Bytes that pass between two looks at least."""

WAIT = 2.0
"""Seconds from then to the look, and to the next while much is still held."""


class Tidier:
    """Looks after the heap when many bytes have passed.

    Attributes:
        waiting: Whether a look is to come.

    Args:
        housekeeper: Gives memory back.
        wait: Seconds between the bytes and the look.
    """

    def __init__(self, housekeeper: Housekeeper | None = None, wait: float = WAIT) -> None:
        self._housekeeper = housekeeper or Housekeeper()
        self._wait = wait
        self._held = self._passed = 0.0
        self.waiting = False

    def note(self, change: float) -> None:
        """Bytes are held more than before, or fewer; called in the event loop."""
        self._held += change
        if change > 0:
            return
        self._passed -= change
        if self._passed < ENOUGH or self.waiting:
            return
        self._passed, self.waiting = 0.0, True
        asyncio.get_running_loop().call_later(self._wait, self._look)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        self.waiting = self._held >= ENOUGH
        if self.waiting:
            loop.run_in_executor(None, self._housekeeper.look)
            loop.call_later(self._wait, self._look)
        else:
            loop.run_in_executor(None, self._housekeeper.tidy)
