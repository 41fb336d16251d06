"""The bytes of messages that one stream holds, within what the server may hold."""

from __future__ import annotations

import asyncio

from stelae.errors import BodyTooLarge, QueueFull
from stelae.server.inbox import Ledger


class Tray:
    """Books the messages of one stream; when the server holds too many bytes, it waits.

    Attributes:
        held: Bytes booked now.

    Args:
        ledger: Bytes held by all requests.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._freed = asyncio.Event()
        self._open = True
        self.held = 0

    async def take(self, size: int) -> None:
        """Book a message; waits for others of this stream to be done with.

        Raises:
            BodyTooLarge: It is over the limit for one.
            QueueFull: Other streams and requests hold too many bytes, and this one holds none
                that it could give back.
        """
        if size > self._ledger.body_bytes:
            raise BodyTooLarge(
                f"the message has {size} bytes, at most {self._ledger.body_bytes} are taken",
                hint="send fewer items per message, or raise limits.body_bytes",
            )
        while not self._taken(size):
            self._freed.clear()
            await self._freed.wait()

    def give_back(self, size: int) -> None:
        """Release what a message held."""
        if self._open:
            self.held -= size
            self._ledger.give_back(size)
            self._freed.set()

    def add(self, size: int) -> None:
        """Book bytes that are held in any case; fewer if negative."""
        if self._open:
            self.held += size
            self._ledger.add(size)

    def close(self) -> None:
        """Release everything; what is given back later counts no more."""
        self._open = False
        self._ledger.give_back(self.held)
        self.held = 0

    def _taken(self, size: int) -> bool:
        try:
            self._ledger.take(size)
        except QueueFull:
            if not self.held:
                raise
            return False
        self.held += size
        return True


class Parcel:
    """A message and the bytes booked for it; see ``stelae.dialects.base.Parcel``.

    Attributes:
        content: What was sent.
    """

    def __init__(self, content: str | bytes, size: int, tray: Tray) -> None:
        self.content = content
        self._size = size
        self._tray = tray

    def __enter__(self) -> str | bytes:
        """What was sent."""
        return self.content

    def hold(self, more: int) -> None:
        """Book what the answer takes beside the message; less if negative."""
        self._size += more
        self._tray.add(more)

    def __exit__(self, *problem: object) -> None:
        """The message is done with."""
        self._tray.give_back(self._size)
        self._size = 0
