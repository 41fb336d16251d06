"""Answers that are told as they are made: server-sent events.

Source: WHATWG HTML, section 9.2 (server-sent events).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

PING_SECONDS = 15.0
"""Longest silence; proxies close connections on which nothing is said."""

PING = b": ping\n\n"
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


def event(data: bytes) -> bytes:
    """One event; JSON has no line ends of its own."""
    return b"data: " + data + b"\n\n"


class EventsResponse(Response):
    """A body of events; the next is asked for when the connection has taken the last.

    Args:
        events: What is sent, each whole. It is closed when the caller leaves, and must end in an
            event that says so, good or bad.
    """

    def __init__(self, events: AsyncGenerator[bytes]) -> None:
        self._events = events
        super().__init__(None, 200, HEADERS, "text/event-stream")
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events, and signs of life between them."""
        start = {"type": "http.response.start", "status": self.status_code}
        async with aclosing(self._events), aclosing(_paced(self._events)) as paced:
            await send({**start, "headers": self.raw_headers})
            async for data in paced:
                await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _paced(events: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    while True:
        step = asyncio.ensure_future(anext(events))
        try:
            while not (await asyncio.wait([step], timeout=PING_SECONDS))[0]:
                yield PING
            made = step.result()
        except StopAsyncIteration:
            return
        finally:
            if not step.done():
                step.cancel()
                with suppress(asyncio.CancelledError, StopAsyncIteration):
                    await step
        yield made
