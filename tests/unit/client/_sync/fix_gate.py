"""A place where tests hold requests; ``_async/fix_gate.py`` is its twin for tasks."""

from __future__ import annotations

import threading


class Gate:
    """Holds whoever comes until it is opened.

    Attributes:
        waiting: How many are held now.
        most: How many were held at once.
    """

    def __init__(self) -> None:
        self.waiting = self.most = 0
        self._open = False
        self._changed = threading.Condition()

    def wait(self) -> None:
        with self._changed:
            self.waiting += 1
            self.most = max(self.most, self.waiting)
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: self._open, timeout=10)
            self.waiting -= 1

    def open(self) -> None:
        with self._changed:
            self._open = True
            self._changed.notify_all()

    def until(self, waiting: int) -> None:
        """Return once so many are held."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.waiting >= waiting, timeout=10)
