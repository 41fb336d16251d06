"""Answers that are told as they are made: server-sent events, or lines of JSON.

Source: WHATWG HTML, section 9.2 (server-sent events).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any, ClassVar

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

PING_SECONDS = 15.0
"""Longest silence; proxies close connections on which nothing is said."""

PING = b": ping\n\n"
_JSON = msgspec.json.Encoder(enc_hook=str)

ENDS = {sign.encode(): f"\\u{ord(sign):04x}".encode() for sign in "\x85\u2028\u2029"}
"""Signs that are no ends of lines here, and how JSON writes them.

Quirk: Python's ``str.splitlines``, and with it ``iter_lines`` of httpx, on which ollama's client
stands, takes them for such; pinned by ``test_no_sign_within_a_part_ends_a_line``.
"""

HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


def event(data: bytes) -> bytes:
    """One event; JSON has no line ends of its own."""
    return b"data: " + data + b"\n\n"


class EventsResponse(Response):
    """A body of events; the next is asked for when the connection has taken the last.

    Args:
        events: What is sent, each whole. It is closed when the caller leaves, and must end in an
            event that says so, good or bad.
        headers: Beside its type.

    Attributes:
        kind: Its media type.
        ping: A sign of life for times in which nothing is told; empty if the form has none.
    """

    kind: ClassVar[str] = "text/event-stream"
    ping: ClassVar[bytes] = PING

    def __init__(
        self, events: AsyncGenerator[bytes], headers: Mapping[str, str] | None = None
    ) -> None:
        self._events = events
        super().__init__(None, 200, {**HEADERS, **(headers or {})}, self.kind)
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events, and signs of life between them."""
        start = {"type": "http.response.start", "status": self.status_code}
        async with aclosing(self._events) as told:
            await send({**start, "headers": self.raw_headers})
            async with _alive(_Pulse(send, self.ping)) as pulse:
                async for data in told:
                    await pulse.send(self.part(data))
        await send({"type": "http.response.body", "body": b""})

    def part(self, data: bytes) -> bytes:
        """An event as it is sent."""
        if data.isascii():
            return data
        for sign, written in ENDS.items():
            data = data.replace(sign, written)
        return data


class LinesResponse(EventsResponse):
    """A body of JSON values, one a line; see ``line``. Silence is silence: there is no ping."""

    kind = "application/x-ndjson"
    ping = b""


class ChunksResponse(EventsResponse):
    """A file as it is made, in chunks; one that fails is cut off, as HTTP has no other way.

    Args:
        chunks: What joined is the file.
        media: Its media type.
        headers: Beside its type.
    """

    ping = b""

    def __init__(
        self, chunks: AsyncGenerator[bytes], media: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(chunks, headers)
        self.headers["content-type"] = media

    def part(self, data: bytes) -> bytes:
        """A chunk as it is sent."""
        return data


def line(value: Any) -> bytes:
    """One line; JSON has no line ends of its own."""
    return _JSON.encode(value) + b"\n"


class _Pulse:
    """Sends parts of a body, and a sign of life after a long silence.

    A task of its own looks at the clock now and then: what is sent often costs no timer each time.
    """

    def __init__(self, send: Send, ping: bytes) -> None:
        self._send, self._ping = send, ping
        self._clock = asyncio.get_running_loop().time
        self._last = self._clock()

    async def send(self, data: bytes) -> None:
        """Send a part."""
        self._last = self._clock()
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def beat(self) -> None:
        """Send a sign whenever nothing was sent for so long."""
        while self._ping:
            silent = self._clock() - self._last
            if silent < PING_SECONDS:
                await asyncio.sleep(PING_SECONDS - silent)
            else:
                await self.send(self._ping)


@asynccontextmanager
async def _alive(pulse: _Pulse) -> AsyncGenerator[_Pulse]:
    beating = asyncio.create_task(pulse.beat())
    try:
        yield pulse
    finally:
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)
