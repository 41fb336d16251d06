"""What a connection is told and how long it is kept, whatever its client sends."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from live import Live, live

ASKED = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"

Wire = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def connected(server: Live) -> AsyncIterator[Wire]:
    """A connection on which bytes are sent as they are."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
    try:
        yield reader, writer
    finally:
        writer.close()


async def answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Head and body of the next answer."""
    async with asyncio.timeout(5):
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)\r\n", head)
        return head, await reader.readexactly(int(length[1]) if length else 0)


async def test_answers_are_dated() -> None:
    """RFC 9110, section 6.6.1: a server that has a clock tells the time of each answer."""
    async with live() as server, connected(server) as (reader, writer):
        writer.write(ASKED)
        head, _ = await answer(reader)
    told = re.search(rb"\r\ndate: ([^\r]+)\r\n", head)
    assert told is not None
    age = datetime.now(UTC) - parsedate_to_datetime(told[1].decode())
    assert timedelta(minutes=-1) < age < timedelta(minutes=10)
