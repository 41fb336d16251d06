"""One request of a connection and its answer, between the parser and the application.

It does what uvicorn's own does, in fewer steps: nothing is awaited that is there already, an
answer whose length is known leaves head and body in one write, and a caller who leaves is told
of by a call instead of a task that waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol

from starlette.types import ASGIApp, Message, Scope
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.server import ServerState

from stelae.telemetry import log

LINE = "stelae.line"
"""In the scope of a request: its ``Line``, where there is one."""

SPOKEN = bytes({*range(0x20, 0x7F), *range(0x80, 0x100), 0x09})
"""Bytes that a header's value may have."""

BODILESS = frozenset((204, 304))
"""Statuses of answers that have no body."""

GOODBYE = b"connection: close\r\n"

FAILED = (
    b"HTTP/1.1 500 Internal Server Error\r\ncontent-type: text/plain\r\ncontent-length: 21\r\n"
    b"connection: close\r\n\r\nInternal Server Error"
)
"""The answer when the application fails, which its edge should not let happen."""

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
GONE: Message = {"type": "http.disconnect"}


class Line(Protocol):
    """What a transport can say of a request without being waited for."""

    def arrived(self) -> Message | None:
        """What ``receive`` would return, if it is there; else ``None``."""

    def watch(self, left: Callable[[], None]) -> None:
        """Have something called when the caller leaves too early; then the work is cancelled."""


class Out(Protocol):
    """Where an answer is written."""

    def write(self, data: bytes) -> None:
        """Write before the next turn of the loop."""

    def write_last(self, data: bytes) -> None:
        """Write now: nothing follows soon."""

    def close(self) -> None:
        """Close once all is written."""

    def is_closing(self) -> bool:
        """Whether it is closed."""


class Exchange:
    """A request and its answer, as an ASGI application sees them.

    Attributes:
        work: The task that runs the application.
        keep_alive: Whether the connection stays open after the answer.
        answered: Whether the answer is whole.

    Args:
        method: Of the request.
        transport: Where the answer goes.
        flow: Holds up who reads and writes.
        server: Has the headers of every answer, which are the time of day.
        done: Called when the answer is whole.
        keep_alive: As above.
        expects: Whether the client waits to be told to send the body.
    """

    def __init__(
        self,
        method: str,
        transport: Out,
        flow: FlowControl,
        server: ServerState,
        done: Callable[[], None],
        *,
        keep_alive: bool,
        expects: bool,
    ) -> None:
        self._transport, self._flow, self._server, self._done = transport, flow, server, done
        self._bare = method == "HEAD"
        self._expects = expects
        self._body: list[bytes] = []
        self._held = 0
        self._more = True
        self._told = False
        self._waiter: asyncio.Future[None] | None = None
        self._left: Callable[[], None] | None = None
        self._head: bytes | None = None
        self._length: int | None = None
        self._started = self._gone = False
        self.work: asyncio.Task[None] | None = None
        self.keep_alive = keep_alive
        self.answered = False

    # -- what the parser tells ---------------------------------------------------------------

    def put(self, piece: bytes) -> int:
        """A piece of the body came; tells how many bytes wait."""
        self._body.append(piece)
        self._held += len(piece)
        if self._waiter is not None:
            self._wake()
        return self._held

    def end(self) -> None:
        """The body is whole."""
        self._more = False
        if self._waiter is not None:
            self._wake()

    def lose(self) -> None:
        """The client is gone."""
        if self._gone or self.answered:
            return
        self._gone = True
        self._wake()
        if self._left is not None:
            self._left()
            if self.work is not None:
                self.work.cancel()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # -- what the application does -----------------------------------------------------------

    def arrived(self) -> Message | None:
        """What of the request is there and was not told yet; see ``Line``."""
        if self._gone or self.answered:
            return GONE
        if not self._body and (self._more or self._told):
            return None
        self._flow.resume_reading()
        self._expects = False
        self._told, self._held = not self._more, 0
        body, self._body = self._body, []
        whole = body[0] if len(body) == 1 else b"".join(body)
        return {"type": "http.request", "body": whole, "more_body": self._more}

    def watch(self, left: Callable[[], None]) -> None:
        """See ``Line``."""
        self._left = left

    async def receive(self) -> Message:
        """The next message of the request, when it has come."""
        if self._expects and not (self._started or self._transport.is_closing()):
            self._transport.write(CONTINUE)
            self._expects = False
        while (message := self.arrived()) is None:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return message

    async def send(self, message: Message) -> None:
        """Send a part of the answer."""
        if self._flow.write_paused:
            await self._flow.drain()
        if self._gone:
            return
        kind = message["type"]
        if kind == "http.response.start" and not self._started:
            self._begin(message["status"], message.get("headers", ()))
        elif kind == "http.response.body" and self._started and not self.answered:
            self._go_on(message.get("body", b""), more=message.get("more_body", False))
        else:
            raise RuntimeError(f"the ASGI message {kind!r} is out of turn")

    def _begin(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self._started = True
        head, values, chunked = [STATUS_LINE[status]], [], not self._bare
        for name, value in (*self._server.default_headers, *headers):
            if name == b"content-length":
                self._length, chunked = int(value), False
            elif name == b"connection" and b"close" in value.lower():
                self.keep_alive = False
                continue
            head.append(b"%b: %b\r\n" % (name, value))
            values.append(value)
        _check(b"".join(values))
        if not self.keep_alive:
            head.append(GOODBYE)
        if chunked and status not in BODILESS:
            head.append(b"transfer-encoding: chunked\r\n")
        else:
            self._length = self._length or 0
        head.append(b"\r\n")
        whole = b"".join(head)
        if self._length is None:
            self._transport.write(whole)  # who watches an answer grow sees that it began
        else:
            self._head = whole

    def _go_on(self, part: bytes, *, more: bool) -> None:
        if self._bare:
            part, self._length = b"", 0
        if self._length is None:
            data = b"%x\r\n%b\r\n" % (len(part), part) if part else b""
            data = data if more else data + b"0\r\n\r\n"
        else:
            self._length -= len(part)
            if self._length < 0 or (self._length and not more):
                raise RuntimeError("the body of the answer is not as long as its head says")
            data = part
        if self._head is not None:
            data, self._head = self._head + data, None
        if more:
            self._transport.write(data)
        else:
            self._finish(data)

    def _finish(self, data: bytes) -> None:
        self.answered = True
        self._transport.write_last(data)
        if not self.keep_alive:
            self._transport.close()
        if self._waiter is not None:
            self._wake()
        self._done()

    async def run(self, app: ASGIApp, scope: Scope, tasks: set[asyncio.Task[None]]) -> None:
        """Let an application answer; where it does not, close the connection.

        Args:
            app: Answers.
            scope: Of the request.
            tasks: Those under way; ``work`` is one of them until it is over.
        """
        try:
            await app(scope, self.receive, self.send)
        except asyncio.CancelledError:
            pass  # the server stops, and has waited long enough
        except Exception:
            log.get().exception("request_failed", path=scope["path"])
        if self.work is not None:
            tasks.discard(self.work)
        self._left = self.work = None  # which hold what holds this
        if not (self.answered or self._gone):
            self._break_off()

    def _break_off(self) -> None:
        """End an answer that is not whole; one that has not begun says so."""
        if not self._started:
            self._transport.write(FAILED)
        self.answered = True
        self._transport.close()


def _check(values: bytes) -> None:
    """Refuse values of headers that end their lines.

    Raises:
        RuntimeError: One could be read as more than one header.
    """
    if values.translate(None, SPOKEN):
        raise RuntimeError("the value of a header has control characters")
