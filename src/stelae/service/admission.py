"""The server's own bound: how many calls, and how many bytes of them, at once."""

from __future__ import annotations

import asyncio
import math
import random
import time

import msgspec

from stelae.errors import InvalidInput, QueueFull, ShuttingDown

SMOOTHING = 0.1
"""Weight of the newest call in the smoothed duration."""

JITTER = (0.8, 1.2)
"""Spread of ``retry_after``, so that refused callers do not come back all at once."""

SHORTEST, LONGEST = 0.1, 60.0
"""Bounds of ``retry_after`` in seconds."""


FADING = 10.0
"""Seconds in which the weight of a call in the calls per second falls to a third."""


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """What is taken on at once.

    Attributes:
        calls: Calls at most, over all models.
        bytes: Estimated bytes of calls and answers at most. A call is never
            refused for its size while nothing else is under way.
        items: Items or documents of one call at most; ``None`` for any number.
    """

    calls: int = 4096
    bytes: int = 1 << 30
    items: int | None = None


class Rate:
    """Events per second, averaged with weights that fade with age."""

    def __init__(self) -> None:
        self._weight = 0.0
        self._at = 0.0

    def count(self, now: float) -> None:
        """One event happened."""
        self._weight = self._weight * math.exp((self._at - now) / FADING) + 1.0
        self._at = now

    def per_second(self, now: float) -> float:
        """How many there are per second."""
        return self._weight * math.exp((self._at - now) / FADING) / FADING


class Place:
    """A place for a call, held in a ``with`` block.

    Args:
        admission: Has the places.
        size: Bytes of the call.
    """

    __slots__ = ("_admission", "_size", "_started")

    def __init__(self, admission: Admission, size: int) -> None:
        self._admission, self._size = admission, size

    def __enter__(self) -> None:
        """Take it.

        Raises:
            QueueFull: There is none.
            ShuttingDown: Nothing is taken on any more.
        """
        self._started = self._admission.begin(self._size)

    def __exit__(self, *problem: object) -> None:
        """Give it back."""
        self._admission.end(self._size, self._started)


class Admission:
    """Counts what is under way, and refuses at once what is too much."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._draw = random.Random()  # noqa: S311  # no secret depends on it
        self._seconds = 1.0
        self.calls = 0
        self.bytes = 0
        self.rate = Rate()
        self.closed = False
        self._idle = asyncio.Event()
        self._idle.set()

    def admit(self, size: int) -> Place:
        """Hold a place for a call of ``size`` bytes while it is worked on; see ``Place``."""
        return Place(self, size)

    def begin(self, size: int) -> float:
        """Take a place; ``end`` must follow.

        Returns:
            When, on the monotonic clock.

        Raises:
            QueueFull: There is none.
            ShuttingDown: Nothing is taken on any more.
        """
        self._check(size)
        started = time.monotonic()
        self.calls += 1
        self.bytes += size
        self.rate.count(started)
        self._idle.clear()
        return started

    def end(self, size: int, started: float) -> None:
        """Give a place back."""
        self.calls -= 1
        self.bytes -= size
        if not self.calls:
            self._idle.set()
        self._seconds += SMOOTHING * (time.monotonic() - started - self._seconds)

    def check_items(self, count: int, param: str) -> None:
        """Refuse a call of more items than one may have.

        Raises:
            InvalidInput: It has more.
        """
        most = self._bounds.items
        if most is not None and count > most:
            raise InvalidInput(
                f"{count} items in one request, at most {most} are taken; send them in several "
                "requests",
                param=param,
                details={"most": most},
            )

    async def close(self, timeout: float) -> bool:
        """Take nothing on any more and wait for what is under way; False if time ran out."""
        self.closed = True
        try:
            await asyncio.wait_for(self._idle.wait(), timeout)
        except TimeoutError:
            return False
        return True

    def _check(self, size: int) -> None:
        if self.closed:
            raise ShuttingDown("the server is shutting down; ask another one", retry_after=5.0)
        over = self.calls >= self._bounds.calls or self.bytes + size > self._bounds.bytes
        if self.calls and over:
            raise QueueFull(
                f"{self.calls} requests of {self.bytes} bytes are under way, the bounds are "
                f"{self._bounds.calls} and {self._bounds.bytes}; send it again later",
                retry_after=self._retry_after(),
            )

    def _retry_after(self) -> float:
        # Little's law: in the mean time of a call, as many calls end as are under way.
        expected = self._seconds * self._draw.uniform(*JITTER)
        return min(LONGEST, max(SHORTEST, expected))
