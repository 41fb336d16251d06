"""WebSockets: who may open one, and the messages that are told to those who watch."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from stelae.dialects.answers import house_error
from stelae.dialects.base import RECORD, Dialect, Feed, Record, RenderError, Rooms
from stelae.errors import NoSuchPath, QueueFull, ShuttingDown, StelaeError
from stelae.server.reception import Reception
from stelae.server.talks import GOING_AWAY, Speaker
from stelae.telemetry import log

SLOW_SECONDS = 10.0
"""Time for a watcher to take a message; one that does not is left."""

SWITCHING = 101
"""Status of a handshake that was accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketBounds:
    """How much there may be of WebSockets.

    Attributes:
        watchers: Most of those on which the server alone speaks.
        talks: Most of those on which both sides speak.
        messages: Most messages of one of them worked on at once.
    """

    watchers: int
    talks: int
    messages: int


class Channel:
    """A feed, and its latest message for all who watch."""

    def __init__(self, feed: Feed, dialect: Dialect, rooms: Rooms) -> None:
        self.feed = feed
        self.dialect = dialect
        self._rooms = rooms
        self._over = asyncio.Event()
        self._text = ""
        self._until = 0.0

    def text(self) -> str:
        """What is told now; made at most twice in the time between two messages."""
        now = time.monotonic()
        if now >= self._until:
            self._text = self.feed.tell(self._rooms)
            self._until = now + self.feed.every / 2
        return self._text

    def stop(self) -> None:
        """Say goodbye to all who watch."""
        self._over.set()

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Tell one watcher until it or the server leaves."""
        del scope
        gone = asyncio.create_task(_until_gone(receive), name="watcher")
        try:
            await _within(send, {"type": "websocket.accept"})
            await self._tell(gone, send)
        except TimeoutError:
            log.get().warning("watcher_too_slow", route=self.feed.path, seconds=SLOW_SECONDS)
        finally:
            gone.cancel()

    async def _tell(self, gone: asyncio.Task[None], send: Send) -> None:
        over = asyncio.create_task(self._over.wait(), name="server-stops")
        try:
            while not (gone.done() or over.done()):
                await _within(send, {"type": "websocket.send", "text": self.text()})
                either = asyncio.FIRST_COMPLETED
                await asyncio.wait([gone, over], timeout=self.feed.every, return_when=either)
            if not gone.done():
                await _within(send, {"type": "websocket.close", "code": GOING_AWAY})
        finally:
            over.cancel()


class Sockets:
    """Every WebSocket of the server, as an ASGI application.

    Attributes:
        watchers: How many there are of those that feeds are told to.
        talking: How many there are of those on which both sides speak.

    Args:
        dialects: Protocols to speak.
        rooms: What they enter.
        reception: Who may come, and what is noted of it.
        bounds: How many may come.
    """

    def __init__(
        self,
        dialects: Iterable[Dialect],
        rooms: Rooms,
        reception: Reception,
        bounds: SocketBounds,
    ) -> None:
        self._places: dict[str, Channel | Speaker] = {}
        for dialect in dialects:
            for feed in dialect.feeds:
                self._places[feed.path] = Channel(feed, dialect, rooms)
            for talk in dialect.talks:
                speaker = Speaker(talk, dialect, rooms, reception, bounds.messages)
                self._places[talk.path] = speaker
        self._reception = reception
        self._bounds = bounds
        self.watchers = 0
        self.talking = 0

    def stop(self) -> None:
        """Say goodbye to all who watch, and let conversations come to their ends."""
        for place in self._places.values():
            place.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one until it or the server leaves, or say why not."""
        record: Record = scope[RECORD]
        place = self._places.get(scope["path"])
        await receive()  # the wish to connect
        try:
            chosen = self._admit(scope, record, place)
        except StelaeError as error:
            record.status, record.error = error.status, error.code
            self._reception.metrics.error(error.code)
            render = house_error if place is None else place.dialect.errors
            await _refuse(error, render, scope, receive, send)
        else:
            record.status = SWITCHING
            await self._serve(chosen, scope, receive, send)
        self._reception.note("talk" if isinstance(place, Speaker) else "watcher", record)

    def _admit(
        self, scope: Scope, record: Record, place: Channel | Speaker | None
    ) -> Channel | Speaker:
        if not (isinstance(place, Speaker) and place.talk.open):
            self._reception.admit(record, scope["headers"], socket=True)
        if place is None:
            where, there = log.escape(scope["path"][:200]), ", ".join(sorted(self._places))
            raise NoSuchPath(f"{where}: no WebSocket answers there", hint=f"there are {there}")
        talks = isinstance(place, Speaker)
        record.route = place.talk.path if isinstance(place, Speaker) else place.feed.path
        record.dialect = place.dialect.name
        if self._reception.draining:
            raise ShuttingDown("the server stops", retry_after=1.0)
        there_are = self.talking if talks else self.watchers
        if there_are >= (self._bounds.talks if talks else self._bounds.watchers):
            raise QueueFull(f"{there_are} WebSockets are open, which is the most", retry_after=1.0)
        return place

    async def _serve(
        self, place: Channel | Speaker, scope: Scope, receive: Receive, send: Send
    ) -> None:
        talks = isinstance(place, Speaker)
        self._count(1, talks)
        try:
            await place.serve(scope, receive, send)
        except OSError:
            pass  # it left while it was told something
        finally:
            self._count(-1, talks)
            if talks:
                self._reception.count(scope[RECORD])

    def _count(self, change: int, talks: bool) -> None:
        self._reception.metrics.watchers.value += change
        if talks:
            self.talking += change
        else:
            self.watchers += change


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
