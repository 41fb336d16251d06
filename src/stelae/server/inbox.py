"""The body of a request as it arrives: counted, limited, and watched to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from starlette.types import Message, Receive

from stelae.errors import BodyTooLarge, Cancelled, DeadlineExceeded, InvalidInput, QueueFull
from stelae.server.exchange import Line

WATCH_AFTER = 0.05
"""Seconds after which it is worth a task to watch whether the caller is still there."""


BODY_SECONDS = 60.0
"""Longest pause between two pieces of a body."""


class Ledger:
    """Bytes held by all requests, against the server's limits: bodies, and what is made of them.

    Attributes:
        body_bytes: Most bytes of one body.
        in_flight_bytes: Most bytes of all requests together.
        held: Bytes held now.

    Args:
        body_bytes: As above.
        in_flight_bytes: As above.
        report: Told of every change of ``held``.
    """

    def __init__(
        self,
        body_bytes: int,
        in_flight_bytes: int,
        report: Callable[[float], None] = lambda change: None,
    ) -> None:
        self.body_bytes = body_bytes
        self.in_flight_bytes = in_flight_bytes
        self.held = 0
        self._report = report

    def take(self, size: int) -> None:
        """Book bytes.

        Raises:
            QueueFull: Other requests hold too many; an only request is let in.
        """
        if self.held and self.held + size > self.in_flight_bytes:
            raise QueueFull(
                f"requests in flight hold {self.held} bytes of at most {self.in_flight_bytes}",
                retry_after=1.0,
            )
        self.held += size
        self._report(size)

    def add(self, size: int) -> None:
        """Book bytes that are held in any case, over the limit too: so the next must wait."""
        self.held += size
        self._report(size)

    def give_back(self, size: int) -> None:
        """Release booked bytes."""
        if size:
            self.held -= size
            self._report(-size)


class Inbox:
    """Receives for one request; cancels its work when the caller leaves.

    Attributes:
        left: Whether the caller left before the answer was complete.
        taken: Bytes received.

    Args:
        receive: Waits for the next message.
        headers: Of the request.
        ledger: Books its bytes.
        line: Says at once what has come, where the transport can.
    """

    def __init__(
        self,
        receive: Receive,
        headers: Sequence[tuple[bytes, bytes]],
        ledger: Ledger,
        line: Line | None = None,
    ) -> None:
        self._receive = receive
        self._line = line
        self._ledger = ledger
        self._declared = _content_length(headers)
        self._booked = self._held = 0
        self._whole = False
        self._work: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._watch: asyncio.Task[None] | None = None
        self.left = False
        self.taken = 0

    async def receive(self) -> Message:
        """The next message; after the body, only that the caller left comes, whenever that is.

        Raises:
            DeadlineExceeded: The body stopped arriving.
            BodyTooLarge: The body is over the limit, by its header or by what came.
            QueueFull: The server holds too many bytes of other bodies.
            Cancelled: The caller left.
        """
        if not self._booked:
            self._book(self._length())
        message = None if self._line is None else self._line.arrived()
        if message is None:
            message = await (self._receive() if self._whole else self._next())
        if message["type"] == "http.disconnect":
            self.left = True
            raise Cancelled("the caller left")
        self.taken += len(message.get("body", b""))
        if self.taken > self._booked:
            self._book(self.taken)
        if not message.get("more_body", False):
            self._whole = True
            if self._line is not None:
                self._line.watch(self._leave)
            else:
                self._watch_later()
        return message

    def hold(self, more: int) -> None:
        """Book what the answer takes beside the body; less if negative."""
        self._ledger.add(more)
        self._held += more

    def close(self) -> None:
        """Stop watching and release what was booked."""
        self._ledger.give_back(self._booked + self._held)
        if self._timer is not None:
            self._timer.cancel()
        if self._watch is not None:
            self._watch.cancel()

    async def _next(self) -> Message:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                return await self._receive()
        except TimeoutError as error:
            raise DeadlineExceeded(
                f"nothing of the body arrived for {BODY_SECONDS:.0f} s; {self.taken} bytes came"
            ) from error

    def _length(self) -> int:
        if self._declared is None:
            return 0
        if not (self._declared.isascii() and self._declared.isdigit()):
            raise InvalidInput("header Content-Length must be a number", param="Content-Length")
        return int(self._declared[:20])

    def _book(self, size: int) -> None:
        if size > self._ledger.body_bytes:
            raise BodyTooLarge(
                f"the body has {size} bytes or more, at most {self._ledger.body_bytes} are taken",
                hint="send fewer items per request, or raise limits.body_bytes",
            )
        if size > self._booked:
            self._ledger.take(size - self._booked)
            self._booked = size

    def _watch_later(self) -> None:
        self._work = asyncio.current_task()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(WATCH_AFTER, self._watch_now)

    def _watch_now(self) -> None:
        self._watch = asyncio.get_running_loop().create_task(self._until_gone())

    async def _until_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._leave()

    def _leave(self) -> None:
        self.left = True
        if self._work is not None:
            self._work.cancel()


def _content_length(headers: Sequence[tuple[bytes, bytes]]) -> str | None:
    for name, value in headers:
        if name == b"content-length":
            return value.decode("latin-1")
    return None
