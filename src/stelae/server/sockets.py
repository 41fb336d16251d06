"""WebSockets: who may watch, and the messages that are told to those who do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from stelae.dialects.answers import house_error
from stelae.dialects.base import RECORD, Dialect, Feed, Record, RenderError, Rooms
from stelae.errors import NoSuchPath, QueueFull, StelaeError
from stelae.security.browsers import BrowserGuard
from stelae.security.keys import KeyRing
from stelae.telemetry import log
from stelae.telemetry.metrics import Metrics

SLOW_SECONDS = 10.0
"""Time for a watcher to take a message; one that does not is left."""

GOING_AWAY = 1001
"""Code with which a server that stops closes a WebSocket; to clients it is a good end."""

SWITCHING = 101
"""Status of a handshake that was accepted."""


class Channel:
    """A feed, and its latest message for all who watch."""

    def __init__(self, feed: Feed, dialect: Dialect, rooms: Rooms) -> None:
        self.feed = feed
        self.dialect = dialect
        self._rooms = rooms
        self._text = ""
        self._until = 0.0

    def text(self) -> str:
        """What is told now; made at most twice in the time between two messages."""
        now = time.monotonic()
        if now >= self._until:
            self._text = self.feed.tell(self._rooms)
            self._until = now + self.feed.every / 2
        return self._text


class Sockets:
    """Every WebSocket of the server, as an ASGI application.

    Attributes:
        watchers: How many there are.

    Args:
        dialects: Protocols to speak.
        rooms: What feeds tell of.
        keys: Who may watch.
        browsers: Whose pages may.
        metrics: Counts them.
        most: Watchers at once.
        access: Whether watchers are logged.
    """

    def __init__(
        self,
        dialects: Iterable[Dialect],
        rooms: Rooms,
        *,
        keys: KeyRing,
        browsers: BrowserGuard,
        metrics: Metrics,
        most: int,
        access: bool = True,
    ) -> None:
        self._channels = {
            feed.path: Channel(feed, dialect, rooms)
            for dialect in dialects
            for feed in dialect.feeds
        }
        self._keys = keys
        self._browsers = browsers
        self._metrics = metrics
        self._most = most
        self._access = access
        self._over = asyncio.Event()
        self.watchers = 0

    def stop(self) -> None:
        """Say goodbye to all who watch."""
        self._over.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Tell one watcher until it or the server leaves, or say why not."""
        record: Record = scope[RECORD]
        channel = self._channels.get(scope["path"])
        await receive()  # the wish to connect
        try:
            chosen = self._admit(scope, record, channel)
        except StelaeError as error:
            record.status, record.error = error.status, error.code
            self._metrics.error(error.code)
            render = house_error if channel is None else channel.dialect.errors
            await _refuse(error, render, scope, receive, send)
        else:
            record.status = SWITCHING
            await self._serve(chosen, receive, send)
        self._note(record)

    def _admit(self, scope: Scope, record: Record, channel: Channel | None) -> Channel:
        self._browsers.admit_socket(scope["headers"])
        record.key_id = self._keys.admit(scope["headers"])
        if channel is None:
            where, there = log.escape(scope["path"][:200]), ", ".join(sorted(self._channels))
            raise NoSuchPath(f"{where}: no WebSocket answers there", hint=f"there are {there}")
        record.route, record.dialect = channel.feed.path, channel.dialect.name
        if self.watchers >= self._most:
            raise QueueFull(
                f"{self.watchers} WebSockets are open, which is the most", retry_after=1.0
            )
        return channel

    async def _serve(self, channel: Channel, receive: Receive, send: Send) -> None:
        self._count(1)
        gone = asyncio.create_task(_until_gone(receive), name="watcher")
        try:
            await _within(send, {"type": "websocket.accept"})
            await self._tell(channel, gone, send)
        except TimeoutError:
            log.get().warning("watcher_too_slow", route=channel.feed.path, seconds=SLOW_SECONDS)
        except OSError:
            pass  # it left while it was told something
        finally:
            gone.cancel()
            self._count(-1)

    async def _tell(self, channel: Channel, gone: asyncio.Task[None], send: Send) -> None:
        over = asyncio.create_task(self._over.wait(), name="server-stops")
        try:
            while not (gone.done() or over.done()):
                await _within(send, {"type": "websocket.send", "text": channel.text()})
                either = asyncio.FIRST_COMPLETED
                await asyncio.wait([gone, over], timeout=channel.feed.every, return_when=either)
            if not gone.done():
                await _within(send, {"type": "websocket.close", "code": GOING_AWAY})
        finally:
            over.cancel()

    def _count(self, change: int) -> None:
        self.watchers += change
        self._metrics.watchers.add(change)

    def _note(self, record: Record) -> None:
        if self._access:
            fields = {"route": record.route, "dialect": record.dialect, "error": record.error}
            told = {name: value for name, value in fields.items() if value}
            if record.key_id is not None:
                told["key"] = record.key_id
            ms = round(record.elapsed_ms, 3)
            log.get().info("watcher", status=record.status, ms=ms, **told)


async def _within(send: Send, message: Message) -> None:
    """Send a message.

    Raises:
        TimeoutError: The watcher does not take it.
    """
    async with asyncio.timeout(SLOW_SECONDS):
        await send(message)


async def _until_gone(receive: Receive) -> None:
    """Drop what the watcher says, until it leaves."""
    while (await receive())["type"] != "websocket.disconnect":
        pass


async def _refuse(
    error: StelaeError, render: RenderError, scope: Scope, receive: Receive, send: Send
) -> None:
    """Answer a handshake with an error, as the dialect writes it."""
    answer = render(error, Request({**scope, "type": "http", "method": "GET"}))
    answer.headers["x-request-id"] = scope[RECORD].id
    await answer(scope, receive, send)
