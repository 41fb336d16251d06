"""Feeds over WebSockets: who may watch, and that no watcher holds the server up."""

from __future__ import annotations

import asyncio
import contextlib
import tracemalloc
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from live import Live, live, until
from watcher import Refused, watching
from wsproto.events import BytesMessage, CloseConnection, TextMessage
from wsproto.frame_protocol import CloseReason

from stelae.server import protocol, sockets
from stelae.server.app import DIALECTS
from stelae.server.gateway import SOCKET_BYTES

pytestmark = pytest.mark.asyncio(loop_scope="module")

FEEDS = [feed for dialect in DIALECTS for feed in dialect.feeds]
PATHS = [feed.path for feed in FEEDS]


def watchers(server: Live) -> int:
    """How many there are."""
    assert server.app.sockets is not None
    return server.app.sockets.watchers


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Live]:
    async with live() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def locked() -> AsyncIterator[Live]:
    async with live(api_keys=["right"]) as running:
        yield running


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a watcher be too slow at once, and leave it at once then."""
    monkeypatch.setattr(sockets, "SLOW_SECONDS", 0.2)
    monkeypatch.setattr(protocol, "GOODBYE_SECONDS", 0.2)


async def test_a_worker_tells_of_itself_again_and_again(server: Live) -> None:
    async with watching(server.url, "/ws/status") as feed:
        first, second = await feed.message(), await feed.message()
        assert first is not None
        assert second is not None
        assert first["timestamp"] < second["timestamp"]
        assert (first["ready"], first["name"], first["machine_profile"]) == (
            True,
            "worker-0",
            "cpu",
        )
        assert "fake" in [model["name"] for model in first["models"]]
        assert first["server"]["uptime_seconds"] >= 0


async def test_the_cluster_tells_the_same_as_health(server: Live) -> None:
    async with watching(server.url, "/ws/cluster-status") as feed:
        told = await feed.message()
        async with httpx.AsyncClient(base_url=server.url) as http:
            health = (await http.get("/health")).json()
        assert told is not None
        assert told.keys() == {"timestamp", "cluster", "workers", "models"}
        assert told["models"] == health["models"]
        for worker in (*told["workers"], *health["workers"]):
            assert worker.pop("memory_used_bytes") > 0
        assert told["workers"] == health["workers"]


async def test_feeds_come_as_often_as_sie_tells() -> None:
    assert {feed.path: feed.every for feed in FEEDS} == {
        "/ws/status": 0.2,
        "/ws/cluster-status": 1.0,
    }


@pytest.mark.parametrize("path", PATHS)
async def test_a_watcher_needs_a_key_where_requests_do(path: str, locked: Live) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        with pytest.raises(Refused) as caught:
            async with watching(locked.url, path, **headers):
                pass
        assert (caught.value.status, caught.value.body["detail"]["code"]) == (
            401,
            "UNAUTHORIZED",
        )
    async with watching(locked.url, path, Authorization="Bearer right") as feed:
        assert await feed.message()


async def test_a_key_is_asked_for_before_the_path_is_looked_at(locked: Live) -> None:
    with pytest.raises(Refused) as caught:
        async with watching(locked.url, "/nothing"):
            pass
    assert caught.value.status == 401


@pytest.mark.parametrize(
    "headers", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Origin": "null"}]
)
async def test_foreign_pages_may_not_watch(headers: dict[str, str], server: Live) -> None:
    with pytest.raises(Refused) as caught:
        async with watching(server.url, "/ws/status", **headers):
            pass
    assert caught.value.status == 403


@pytest.mark.parametrize("path", ["/nope", "/health", "/ws", "/ws/status/", "/v1/encode/fake"])
async def test_other_paths_have_no_feed(path: str, server: Live) -> None:
    with pytest.raises(Refused) as caught:
        async with watching(server.url, path):
            pass
    assert (caught.value.status, caught.value.body["error"]["code"]) == (404, "no_such_path")


async def test_watchers_are_bounded() -> None:
    async with live(limits={"watchers": 1}) as server:
        async with watching(server.url, "/ws/status") as first:
            await first.message()
            with pytest.raises(Refused) as caught:
                async with watching(server.url, "/ws/status"):
                    pass
            assert caught.value.status == 503
        await until(lambda: not watchers(server))
        async with watching(server.url, "/ws/status") as again:
            assert await again.message()


async def test_a_watcher_that_leaves_is_forgotten(server: Live) -> None:
    async with watching(server.url, "/ws/status") as polite:
        await polite.message()
        polite.send(CloseConnection(code=1000))
        assert await polite.message() is None
    async with watching(server.url, "/ws/status") as rude:
        await rude.message()
        rude.writer.transport.abort()
    await until(lambda: not watchers(server))


async def test_what_a_watcher_says_is_dropped(server: Live) -> None:
    async with watching(server.url, "/ws/status") as feed:
        for _ in range(10):
            feed.send(TextMessage(data="x" * 1000))
            feed.send(BytesMessage(data=b"\xff" * 1000))
        assert await feed.message()
        assert await feed.message()


async def test_a_watcher_that_shouts_is_left(server: Live) -> None:
    async with watching(server.url, "/ws/status") as feed:
        feed.send(TextMessage(data="x" * 1_000_000))
        while await feed.message() is not None:
            pass
    await until(lambda: not watchers(server))


@pytest.mark.usefixtures("clock")
async def test_a_watcher_that_reads_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    async with live() as server:
        monkeypatch.setattr(sockets.Channel, "text", lambda self: "x" * 10_000_000)
        async with watching(server.url, "/ws/status") as deaf:
            # No public way stops a stream of asyncio from reading on.
            deaf.reader._transport.pause_reading()  # type: ignore[attr-defined]
            await until(lambda: watchers(server) == 1)
            await until(lambda: not watchers(server))
            await until(lambda: not server.gateway.server_state.connections)


async def test_a_server_that_stops_says_goodbye() -> None:
    async with live() as server:
        async with watching(server.url, "/ws/status") as feed:
            await feed.message()
            server.gateway.stop()
            while await feed.message() is not None:
                pass
            assert feed.code == 1001
        await until(lambda: not watchers(server))


@pytest.mark.parametrize("size", [SOCKET_BYTES + 1, 1 << 30, (1 << 63) - 1])
@pytest.mark.parametrize("opcode", [0x81, 0x82, 0x01], ids=["text", "bytes", "first part"])
async def test_a_frame_that_claims_too_much_is_refused_at_its_claim(
    size: int, opcode: int, server: Live
) -> None:
    async with (
        watching(server.url, "/ws/status") as other,
        watching(server.url, "/ws/status") as it,
    ):
        await other.message()
        # Its head and nothing else: the length in eight bytes, and a mask.
        it.writer.write(bytes((opcode, 0x80 | 127)) + size.to_bytes(8, "big") + b"mask")
        while await it.message() is not None:
            pass
        assert it.code == CloseReason.MESSAGE_TOO_BIG
        await until(lambda: watchers(server) == 1)
        assert await other.message()
        assert await other.message()
    await until(lambda: not server.gateway.server_state.connections)


async def test_a_frame_of_the_most_bytes_is_taken(server: Live) -> None:
    async with watching(server.url, "/ws/status") as feed:
        feed.send(BytesMessage(data=bytes(SOCKET_BYTES)))
        assert await feed.message()
        assert await feed.message()


async def test_a_flood_behind_a_large_claim_takes_no_memory(server: Live) -> None:
    async with watching(server.url, "/ws/status") as feed:
        tracemalloc.start()
        feed.writer.write(b"\x82\xff" + (1 << 30).to_bytes(8, "big") + b"mask")
        with contextlib.suppress(ConnectionError):
            for _ in range(1024):
                feed.writer.write(bytes(1 << 16))
                await feed.writer.drain()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        # A quarter of the flood: a table of the interpreter that grows meanwhile is 4 MiB itself.
        assert peak < 16 << 20
    await until(lambda: not watchers(server))


HANDSHAKE = (
    b"GET /ws/status HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    b"Sec-WebSocket-Version: 13\r\n"
)


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (HANDSHAKE + b"Content-Length: 5\r\n\r\nhello", 101),
        (HANDSHAKE + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 101),
        (HANDSHAKE + b"X-Padding: " + b"x" * 30_000 + b"\r\n\r\n", 101),
        (HANDSHAKE + b"\r\n\x0f\xff\xff\xff not frames", 101),
        (HANDSHAKE + b"Sec-WebSocket-Extensions: \xff\r\n\r\n", 400),
        (HANDSHAKE + b"Host: other\r\n\r\n", 400),
        (HANDSHAKE.replace(b"GET", b"POST") + b"\r\n", 400),
        (HANDSHAKE.replace(b"13", b"12") + b"\r\n", 426),
        (HANDSHAKE.replace(b"Host: 127.0.0.1\r\n", b"") + b"\r\n", 400),
    ],
)
async def test_odd_handshakes_are_answered_and_leave_nothing_behind(
    request_bytes: bytes, status: int, server: Live
) -> None:
    reader, writer = await asyncio.open_connection(*server.url[7:].split(":"))
    writer.write(request_bytes)
    async with asyncio.timeout(10):
        answer = await reader.readline()
    assert int(answer.split()[1]) == status
    writer.close()
    await until(lambda: not watchers(server))
    await until(lambda: not server.gateway.server_state.connections)


async def test_a_page_asked_for_as_a_socket_by_http_is_not_there(server: Live) -> None:
    async with httpx.AsyncClient(base_url=server.url) as http:
        assert (await http.get("/ws/status")).status_code == 404
