"""Threads that wait for work."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Rest:
    """Where threads wait; who began to wait last is woken first, and finds its memory near.

    Every method is called with the lock held.

    Args:
        lock: Of what they wait for.
    """

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock
        self._resting: list[threading.Condition] = []

    def wait_for(self, ready: Callable[[], bool]) -> None:
        """Wait until there is something to do."""
        while not ready():
            mine = threading.Condition(self._lock)
            self._resting.append(mine)
            mine.wait()

    def wake(self) -> None:
        """Wake one thread, if any waits."""
        if self._resting:
            self._resting.pop().notify()

    def wake_all(self) -> None:
        """Wake all."""
        while self._resting:
            self.wake()
