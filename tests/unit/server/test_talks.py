from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pytest
from live import Live, live, until
from parrot import Parrot
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from stelae.dialects.native import DIALECT as NATIVE
from stelae.server import talks


@dataclass(frozen=True, slots=True)
class Aviary:
    """A server with a parrot."""

    parrot: Parrot
    server: Live

    def visit(self, **more: Any) -> connect:
        url = self.server.url.replace("http://", "ws://") + "/parrot"
        return connect(url, compression=None, max_size=None, **more)

    @property
    def held(self) -> int:
        return self.server.app.reception.ledger.held

    @property
    def talking(self) -> int:
        assert self.server.app.sockets is not None
        return self.server.app.sockets.talking


@asynccontextmanager
async def aviary(**settings: Any) -> AsyncIterator[Aviary]:
    parrot = Parrot()
    async with live(dialects=(NATIVE, parrot.dialect), **settings) as server:
        yield Aviary(parrot, server)


async def ended(socket: ClientConnection) -> tuple[int | None, str | None]:
    await socket.wait_closed()
    return socket.close_code, socket.close_reason


async def test_both_sides_speak_and_the_server_says_goodbye() -> None:
    async with aviary() as made, made.visit() as socket:
        for message in ("text", b"bytes", b""):
            await socket.send(message)
        heard = {await socket.recv() for _ in range(3)}
        assert heard == {b"text", b"bytes", b""}
        await socket.send(b"bye")
        assert await ended(socket) == (1000, "goodbye")


async def test_answers_do_not_wait_for_each_other() -> None:
    async with aviary() as made, made.visit() as socket:
        await socket.send(b"hold")
        await socket.send(b"quick")
        assert await socket.recv() == b"quick"
        made.parrot.go.set()
        assert await socket.recv() == b"hold"


@pytest.mark.parametrize(
    ("offered", "agreed"), [(["x", "bytes"], "bytes"), (["x"], "x"), (["y"], None), (None, None)]
)
async def test_best_known_subprotocol_is_agreed_on(
    offered: list[str] | None, agreed: str | None
) -> None:
    async with aviary() as made, made.visit(subprotocols=offered) as socket:
        assert socket.subprotocol == agreed


async def test_messages_are_read_only_where_there_is_room() -> None:
    async with aviary(limits={"messages": 3}) as made, made.visit() as socket:
        for n in range(20):
            await socket.send(b"hold%d" % n)
        await until(lambda: made.parrot.held == 3)
        assert len(made.parrot.heard) == 3
        made.parrot.go.set()
        assert len({await socket.recv() for _ in range(20)}) == 20
        assert made.parrot.most == 3


async def test_large_messages_pass_up_to_the_limit() -> None:
    async with aviary(limits={"body_bytes": "4MiB"}) as made:
        async with made.visit() as socket:
            await socket.send(bytes(4 * 1024**2))
            assert await socket.recv() == bytes(4 * 1024**2)
        async with made.visit() as socket:
            with suppress(ConnectionClosed):
                await socket.send(bytes(4 * 1024**2 + 1))
            assert (await ended(socket))[0] == 1009
        async with made.visit() as socket:
            with suppress(ConnectionClosed):
                await socket.send([bytes(1024**2)] * 5)
            assert await ended(socket) == (
                1009,
                "Message exceeds the maximum size (4194304 bytes)",
            )
        assert made.parrot.heard == [bytes(4 * 1024**2)]


async def test_bytes_are_booked_until_they_are_answered() -> None:
    limits = {"body_bytes": "1MiB", "in_flight_bytes": "2MiB"}
    large = b"hold".ljust(900_000)
    async with aviary(limits=limits) as made, made.visit() as socket, made.visit() as other:
        sending = asyncio.create_task(send_all(socket, [large] * 6))
        await until(lambda: made.parrot.held == 2)
        await other.send(large)
        assert await ended(other) == (
            1013,
            "requests in flight hold 1800000 bytes of at most 2097152",
        )
        assert len(made.parrot.heard) == 2
        made.parrot.go.set()
        assert [await socket.recv() for _ in range(6)] == [large] * 6
        await sending
        await until(lambda: made.held == 0)


async def send_all(socket: ClientConnection, messages: list[bytes]) -> None:
    for message in messages:
        await socket.send(message)


async def test_peer_who_leaves_frees_its_work() -> None:
    async with aviary() as made:
        async with made.visit() as socket:
            for _ in range(3):
                await socket.send(b"hold")
            await until(lambda: made.parrot.held == 3)
            socket.transport.abort()
        await until(lambda: made.parrot.dropped == 3)
        await until(lambda: (made.held, made.talking) == (0, 0))


@pytest.mark.parametrize(
    ("code", "closed"),
    [
        ("invalid_input", (1011, "as you wished")),
        ("unauthorized", (1008, "as you wished")),
        ("forbidden", (1008, "as you wished")),
        ("body_too_large", (1009, "as you wished")),
        ("queue_full", (1013, "as you wished")),
        ("crash", (1011, "the server failed to answer; see its log")),
    ],
)
async def test_errors_close_with_their_code(code: str, closed: tuple[int, str]) -> None:
    async with aviary() as made, made.visit() as socket:
        await socket.send("fail:" + code)
        assert await ended(socket) == closed


def test_reason_is_cut_between_characters() -> None:
    assert talks.shortened("ä" * 100) == "ä" * 61


async def test_key_is_asked_for_before_the_handshake() -> None:
    async with aviary(api_keys=("secret",)) as made:
        with pytest.raises(InvalidStatus) as caught:
            await made.visit()
        assert caught.value.response.status_code == 401
        shown = {"Authorization": "secret"}
        async with made.visit(additional_headers=shown) as socket:
            await socket.send(b"x")
            assert await socket.recv() == b"x"


async def test_pages_of_others_may_talk_only_where_they_are_named() -> None:
    async with aviary() as made:
        with pytest.raises(InvalidStatus) as caught:
            await made.visit(origin="https://shop.example")
        assert caught.value.response.status_code == 403
    async with (
        aviary(cors={"origins": ["https://shop.example"]}) as made,
        made.visit(origin="https://shop.example") as socket,
    ):
        await socket.send(b"x")
        assert await socket.recv() == b"x"


async def test_more_talks_than_the_limit_are_refused() -> None:
    async with aviary(limits={"streams": 1, "watchers": 0}) as made, made.visit():
        with pytest.raises(InvalidStatus) as caught:
            await made.visit()
        assert caught.value.response.status_code == 503


async def test_server_lingers_until_the_peer_leaves() -> None:
    async with aviary() as made:
        async with made.visit() as socket:
            await socket.send(b"bye6000")
            await socket.send(b"dropped")
        await until(lambda: made.talking == 0)
        assert made.parrot.heard == []


async def test_server_lingers_no_longer_than_it_says() -> None:
    async with aviary() as made, made.visit() as socket:
        await socket.send(b"bye1")
        assert await ended(socket) == (1000, "goodbye")


async def test_server_that_stops_answers_what_is_in_work() -> None:
    async with aviary() as made, made.visit() as busy, made.visit() as idle:
        await busy.send(b"hold")
        await until(lambda: made.parrot.held == 1)
        made.server.carriers.stop()
        assert (await ended(idle))[0] == 1001
        made.parrot.go.set()
        assert await busy.recv() == b"hold"
        assert (await ended(busy))[0] == 1001


async def test_talk_that_takes_too_long_is_left_when_the_server_stops() -> None:
    async with aviary(limits={"drain_seconds": 0.2}) as made, made.visit() as busy:
        await busy.send(b"hold")
        await until(lambda: made.parrot.held == 1)
        made.server.carriers.stop()
        with pytest.raises(ConnectionClosed):
            await busy.recv()
        await until(lambda: made.parrot.dropped == 1)


async def test_peer_who_reads_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(talks, "SLOW_SECONDS", 0.2)
    async with aviary(limits={"messages": 2}) as made, made.visit(max_queue=1) as socket:
        for _ in range(10):
            await socket.send(b"loud:8000000")
        await until(lambda: made.talking == 0)
        assert len(made.parrot.heard) < 10
        socket.transport.abort()
