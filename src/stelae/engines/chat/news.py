"""When those who take pieces are woken.

Each waking is a change of threads, a message to the server and one to the caller: beside a model
that makes a token in a few milliseconds they take as long as the choice of the token.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from collections.abc import Sequence as Several
from contextlib import suppress

from stelae.engines.chat.sequence import Request

PACE_SECONDS = 0.025
"""Pieces made within this time of one another leave together."""


class News:
    """Calls for which pieces were made, until their readers are woken.

    The first piece of a call is told at once, and so are its last and its error.

    Args:
        pace: Seconds for which other pieces may wait; with 0 each step is told by itself.
    """

    def __init__(self, pace: float = PACE_SECONDS) -> None:
        self._pace, self._told = pace, 0.0
        self._requests: dict[Request, None] = {}

    def add(self, requests: Iterable[Request]) -> None:
        """There is news for the readers of these."""
        self._requests.update(dict.fromkeys(requests))

    def tell_due(self, *, long: bool) -> None:
        """Wake readers if their pieces should not wait for one more step.

        Args:
            long: Whether that step takes longer than others.
        """
        waited = time.monotonic() - self._told
        if long or waited >= self._pace or any(request.presses for request in self._requests):
            self.tell()

    def tell(self) -> None:
        """Wake all of them, once for each event loop."""
        told, self._requests = self._requests, {}
        by_loop: dict[asyncio.AbstractEventLoop, list[Request]] = {}
        for request in told:
            by_loop.setdefault(request.loop, []).append(request)
        for loop, requests in by_loop.items():
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_stir, requests)
        self._told = time.monotonic()


def _stir(requests: Several[Request]) -> None:
    for request in requests:
        request.stir()
