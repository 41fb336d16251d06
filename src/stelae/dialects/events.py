"""Answers that are told as they are made: server-sent events, or lines of JSON.

Source: WHATWG HTML, section 9.2 (server-sent events).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from typing import Any, ClassVar

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

PING_SECONDS = 15.0
"""Longest silence; proxies close connections on which nothing is said."""

PING = b": ping\n\n"
_JSON = msgspec.json.Encoder(enc_hook=str)

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
        told = _paced(self._events, self.ping)
        async with aclosing(self._events), aclosing(told) as paced:
            await send({**start, "headers": self.raw_headers})
            async for data in paced:
                await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


class LinesResponse(EventsResponse):
    """A body of JSON values, one a line; see ``line``. Silence is silence: there is no ping."""

    kind = "application/x-ndjson"
    ping = b""


def line(value: Any) -> bytes:
    """One line; JSON has no line ends of its own."""
    return _JSON.encode(value) + b"\n"


async def _paced(events: AsyncGenerator[bytes], ping: bytes) -> AsyncGenerator[bytes]:
    seconds = PING_SECONDS if ping else None
    while True:
        step = asyncio.ensure_future(anext(events))
        try:
            while not (await asyncio.wait([step], timeout=seconds))[0]:
                yield ping
            made = step.result()
        except StopAsyncIteration:
            return
        finally:
            if not step.done():
                step.cancel()
                with suppress(asyncio.CancelledError, StopAsyncIteration):
                    await step
            elif not step.cancelled():
                step.exception()  # or asyncio reports one that nobody looked at
        yield made
