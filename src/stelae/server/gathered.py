"""Writing an answer at once, though its head and its body come one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

MOST_BYTES = 64 * 1024
"""Bytes that wait at most: beyond, the transport has to know, to hold up who writes."""


class Gathered:
    """A transport whose writes in one turn of the event loop leave in one call of the system.

    Each such call may wake the client, which for a short answer is most of what it costs.
    Otherwise it is the transport that it is made of.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self.is_closing = transport.is_closing  # found at once, unlike what __getattr__ finds
        self._held: list[bytes] = []
        self._size = 0
        self._ended = False

    def write(self, data: bytes) -> None:
        """Write before the next turn, or now what is large; nothing after the end."""
        if self._size + len(data) > MOST_BYTES:
            self.flush()
            self._pass_on(data)
        elif data:
            if not self._held:
                self._loop.call_soon(self.flush)
            self._held.append(data)
            self._size += len(data)

    def write_last(self, data: bytes) -> None:
        """Write now, with what waits: nothing follows soon."""
        if self._held:
            self.write(data)
            self.flush()
        elif data:
            self._pass_on(data)

    def writelines(self, pieces: Iterable[bytes]) -> None:
        """Write several."""
        for piece in pieces:
            self.write(piece)

    def flush(self) -> None:
        """Write now what waits."""
        held, self._held, self._size = self._held, [], 0
        if held:
            # Some of asyncio's `writelines` hold nobody up, and spin on empty pieces.
            self._pass_on(b"".join(held))

    def _pass_on(self, data: bytes) -> None:
        # What waited for its turn may find the client gone, where writing is an error.
        if not (self._ended or self.is_closing()):
            self._transport.write(data)

    def write_eof(self) -> None:
        """Write no more after this."""
        self.flush()
        self._ended = True
        self._transport.write_eof()

    def close(self) -> None:
        """Close once all is written."""
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        """Close now."""
        self._held, self._size = [], 0
        self._transport.abort()

    def get_write_buffer_size(self) -> int:
        """Bytes that are not sent yet."""
        return self._size + self._transport.get_write_buffer_size()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
