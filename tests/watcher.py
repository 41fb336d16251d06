"""A WebSocket client for tests: a plain socket and the protocol without input and output."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import (
    AcceptConnection,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    RejectData,
    Request,
    TextMessage,
)


class Refused(Exception):
    """The handshake was answered with an error."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body


class Watcher:
    """One connection.

    Attributes:
        reader: What the server sends.
        writer: What is sent to it.
        code: With which the server closed.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.code: int | None = None
        self._connection = WSConnection(ConnectionType.CLIENT)
        self._events: list[Event] = []

    async def shake(self, host: str, path: str, headers: dict[str, str]) -> None:
        """Ask for the feed at a path."""
        extra = [(name.encode(), value.encode()) for name, value in headers.items()]
        self.send(Request(host=host, target=path, extra_headers=extra))
        answer = await self._next()
        if isinstance(answer, RejectConnection):
            body = b""
            while not answer_ends(part := await self._next()):
                body += part.data
            raise Refused(answer.status_code, json.loads(body + part.data))
        assert isinstance(answer, AcceptConnection)

    async def message(self) -> dict[str, Any] | None:
        """The next message; ``None`` once the server said goodbye, with ``code``."""
        text = ""
        while True:
            event = await self._next()
            if isinstance(event, CloseConnection):
                self.code = event.code
                if self._connection.state is ConnectionState.REMOTE_CLOSING:
                    self.send(event.response())
                return None
            if isinstance(event, Ping):
                self.send(event.response())
            elif isinstance(event, TextMessage):
                text += event.data
                if event.message_finished:
                    said: dict[str, Any] = json.loads(text)
                    return said

    def send(self, event: Event) -> None:
        """Send to the server."""
        self.writer.write(self._connection.send(event))

    async def _next(self) -> Any:
        async with asyncio.timeout(10):
            while not self._events:
                data = await self.reader.read(65536)
                self._connection.receive_data(data or None)
                self._events += list(self._connection.events())
        return self._events.pop(0)


def answer_ends(part: RejectData) -> bool:
    """Whether the body of an error is whole."""
    return part.body_finished


@asynccontextmanager
async def watching(url: str, path: str, **headers: str) -> AsyncIterator[Watcher]:
    """Watch a feed of a server.

    Raises:
        Refused: The server does not want it.
    """
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    watcher = Watcher(reader, writer)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        await watcher.shake(named.pop("Host", f"{host}:{port}"), path, named)
        yield watcher
    finally:
        writer.close()
