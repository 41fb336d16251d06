"""What a connection is told and how long it is kept, whatever its client sends."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx
import pytest
from live import Live, live

ASKED = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"

UPLOAD = b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n"

WATCH = (
    b"GET /ws/status HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)

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


@pytest.mark.parametrize(
    "after",
    [
        pytest.param((ASKED, b"\r\n"), id="empty line"),
        pytest.param((UPLOAD, b"xxx"), id="upload that stops after its refusal"),
        pytest.param((UPLOAD, b"x" * 10), id="upload that ends after its refusal"),
    ],
)
async def test_idle_connection_is_closed_whatever_came_after_the_answer(
    after: tuple[bytes, bytes],
) -> None:
    async with live() as server:
        server.gateway.config.timeout_keep_alive = 0.3  # type: ignore[assignment]  # uvicorn says int
        async with connected(server) as (reader, writer):
            asked, more = after
            writer.write(asked)
            await answer(reader)
            writer.write(more)
            async with asyncio.timeout(5):
                assert await reader.read() == b""


async def test_watcher_is_kept_after_an_answer_on_the_same_connection() -> None:
    async with live() as server:
        server.gateway.config.timeout_keep_alive = 0.1  # type: ignore[assignment]  # likewise
        async with connected(server) as (reader, writer):
            writer.write(ASKED)
            await answer(reader)
            writer.write(WATCH)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 101 ")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(-1), 0.5)


async def test_slow_download_is_no_body_that_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stelae.server.inbox.BODY_SECONDS", 0.1)
    stored = b"x" * (16 << 20)  # more than the sockets hold
    async with live() as server, httpx.AsyncClient(base_url=server.url) as http:
        given = await http.post(
            "/v1/files", files={"file": ("a.txt", stored)}, data={"purpose": "user_data"}
        )
        path = f"/v1/files/{given.json()['id']}/content"
        async with connected(server) as (reader, writer):
            writer.write(ASKED.replace(b"/healthz", path.encode()))
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(0.5)
            async with asyncio.timeout(5):
                assert await reader.readexactly(len(stored)) == stored


async def test_head_that_does_not_end_takes_no_answer_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("stelae.server.protocol.HEAD_SECONDS", 0.05)
    body = b'{"model":"fake","input":"!sleep 0.5"}'
    head = b"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
    async with live() as server, connected(server) as (reader, writer):
        writer.write(head % len(body) + body + ASKED[:-2])
        told, _ = await answer(reader)
        assert told.startswith(b"HTTP/1.1 200 ")
        async with asyncio.timeout(5):
            assert await reader.read() == b""


@pytest.mark.parametrize(("version", "told"), [(b"1.1", b"100"), (b"1.0", b"200")])
async def test_client_of_http_1_0_is_not_told_to_go_on(version: bytes, told: bytes) -> None:
    """RFC 9110, section 10.1.1: an expectation in a request of HTTP/1.0 is ignored."""
    body = b'{"model":"fake","input":"a"}'
    head = b"POST /v1/embeddings HTTP/%b\r\nHost: localhost\r\nContent-Length: %d\r\n"
    async with live() as server, connected(server) as (reader, writer):
        writer.write(head % (version, len(body)) + b"Expect: 100-continue\r\n\r\n")
        await asyncio.sleep(0.2)
        writer.write(body)
        first, _ = await answer(reader)
        assert first.startswith(b"HTTP/1.1 " + told)
