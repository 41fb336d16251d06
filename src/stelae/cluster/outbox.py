"""Writing frames from several threads to one socket, without waiting for the reader."""

from __future__ import annotations

import socket
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from stelae.cluster.frames import Buffer

_IOV = 512
"""Pieces handed to the system at once; below every system's limit."""


class Outbox:
    """Sends at once what the socket takes; a thread of its own sends the rest in order.

    So the device's thread answers without a hand-over and never waits for a
    server that is slow to read.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._lock = threading.Lock()
        self._filled = threading.Condition(self._lock)
        self._emptied = threading.Condition(self._lock)
        self._left: deque[memoryview] = deque()
        self._broken = False
        self._held = threading.local()
        self._holding = 0
        threading.Thread(target=self._serve, name="stelae-outbox", daemon=True).start()

    def send(self, pieces: Sequence[Buffer]) -> None:
        """Send the pieces of a frame after all earlier ones; never blocks on the socket."""
        views = deque(memoryview(piece).cast("B") for piece in pieces if len(piece))
        held: deque[memoryview] | None = getattr(self._held, "views", None)
        if held is None:
            self._put(views)
        else:
            held.extend(views)

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """What the calling thread sends meanwhile leaves together in the end.

        Each call of the system gives the interpreter away, and another thread may keep it.
        """
        with self._lock:
            self._holding += 1
        self._held.views = views = deque[memoryview]()
        try:
            yield
        finally:
            self._held.views = None
            self._put(views)
            with self._lock:
                self._holding -= 1
                self._emptied.notify_all()

    def _put(self, views: deque[memoryview]) -> None:
        with self._lock:
            if self._broken:
                return
            if not self._left and not self._push(views, socket.MSG_DONTWAIT):
                return
            if views:
                self._left.extend(views)
                self._filled.notify()

    def flush(self, timeout: float) -> bool:
        """Wait until all is sent, or the other side has gone; False if time ran out."""
        with self._lock:
            return self._emptied.wait_for(self._nothing_left, timeout)

    def _nothing_left(self) -> bool:
        return self._broken or not (self._left or self._holding)

    def _push(self, views: deque[memoryview], flags: int) -> bool:
        """Write until done or the socket is full; False once the other side has gone."""
        try:
            while views:
                sent = self._socket.sendmsg(
                    [views[i] for i in range(min(_IOV, len(views)))], (), flags
                )
                _drop(views, sent)
        except BlockingIOError:
            return True
        except OSError:
            self._give_up()
            return False
        return True

    def _serve(self) -> None:
        while True:
            with self._lock:
                self._filled.wait_for(lambda: self._left)
                piece = self._left[0]
            try:
                self._socket.sendall(piece)
            except OSError:
                with self._lock:
                    self._give_up()
                return
            with self._lock:
                self._left.popleft()
                if not self._left:
                    self._emptied.notify_all()

    def _give_up(self) -> None:
        self._broken = True
        self._left.clear()
        self._emptied.notify_all()


def _drop(views: deque[memoryview], sent: int) -> None:
    while views and sent >= len(views[0]):
        sent -= len(views.popleft())
    if sent:
        views[0] = views[0][sent:]
