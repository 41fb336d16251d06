"""A connection of HTTP/1.1 that costs a load generator little: nothing is decoded."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from urllib.parse import urlsplit

LIMIT = 1 << 24
"""Bytes that are read ahead."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said.

    Attributes:
        status: Of HTTP; 0 where the connection broke.
        body: As it was sent.
    """

    status: int
    body: bytes = b""


BROKEN = Answer(0)


def request(url: str, data: bytes) -> bytes:
    """A post of JSON, ready to be written."""
    where = urlsplit(url)
    return (
        f"POST {where.path} HTTP/1.1\r\nHost: {where.netloc}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    ).encode() + data


class Connection:
    """One connection, kept alive; opened again where the server has closed it."""

    def __init__(self, url: str) -> None:
        self._where = urlsplit(url)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def open(self) -> None:
        """Connect now, so that the first request need not."""
        host, port = self._where.hostname, self._where.port
        self._streams = await asyncio.open_connection(host, port, limit=LIMIT)

    async def ask(self, data: bytes) -> Answer:
        """Send a request; wait for the whole answer."""
        try:
            if self._streams is None or self._streams[0].at_eof():
                await self.close()
                await self.open()
            assert self._streams is not None
            reader, writer = self._streams
            writer.write(data)
            return await _answer(reader)
        except (OSError, asyncio.IncompleteReadError):
            await self.close()
            return BROKEN

    async def close(self) -> None:
        """Close it, if it is open."""
        if self._streams is None:
            return
        writer, self._streams = self._streams[1], None
        writer.close()
        try:
            await writer.wait_closed()
        except OSError:
            return  # the other side was quicker


async def _answer(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
    return Answer(int(head[9:12]), await reader.readexactly(length))
