"""What requests take is booked, not only what came, so that the limit holds."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import grpc
import httpx
import pytest
from live import FAKE, Live, live, until
from websockets.asyncio.client import connect

from stelae.server.inbox import Ledger
from stelae.wire.clip.messages import DataRequest
from stelae.wire.clip.names import CALL

ADDRESSES = ("http://127.0.0.1:0", "grpc://127.0.0.1:0")
BYTES: Any = ["bytes"]
LIMIT = 1 << 20
PICTURE = bytes(50_000)
HELD = 4 * len(PICTURE)
"""What one picture takes: as it came, read, as an item, and as sent to the model."""


def message(**content: Any) -> bytes:
    request = DataRequest()
    request.header.exec_endpoint = "/encode"
    request.data.docs.docs.add(**content)
    return request.SerializeToString()


class Watch:
    """The most that was ever booked, and the most calls that the model had with it."""

    def __init__(self, made: Live) -> None:
        self.ledger: Ledger = made.app.reception.ledger
        (self.replica,) = made.house.fleet._deployments.controller.replicas("fake")
        self.bytes = self.calls = 0
        self._told, self.ledger._report = self.ledger._report, self._note

    def _note(self, change: float) -> None:
        self._told(change)
        self.bytes = max(self.bytes, self.ledger.held)
        self.calls = max(self.calls, self.replica.in_flight)


@pytest.fixture
async def server() -> AsyncIterator[Live]:
    limits = {"in_flight_bytes": LIMIT, "body_bytes": LIMIT}
    async with live(
        at=ADDRESSES, models={"fake": FAKE}, clip={"model": "fake"}, limits=limits
    ) as made:
        await made.house.fleet.load("fake")
        yield made


def channel(made: Live) -> Any:
    return grpc.aio.insecure_channel(made.urls[1].removeprefix("grpc://"))


async def over_grpc(made: Live, sent: list[bytes]) -> int:
    async with channel(made) as open_channel:
        return len([answer async for answer in open_channel.stream_stream(CALL)(iter(sent))])


async def over_a_socket(made: Live, sent: list[bytes]) -> int:
    async with connect(made.url.replace("http", "ws", 1), subprotocols=BYTES) as connection:
        sending = asyncio.create_task(send_all(connection, sent))
        answers = [await connection.recv() for _ in sent]
        await sending
    return len(answers)


async def send_all(connection: Any, sent: list[bytes]) -> None:
    for data in sent:
        await connection.send(data)


@pytest.mark.parametrize("way", [over_grpc, over_a_socket])
async def test_a_stream_of_pictures_takes_no_more_than_the_limit(server: Live, way: Any) -> None:
    watch = Watch(server)
    sent = [message(text="!sleep 0.2"), *[message(blob=PICTURE)] * 30]

    assert await way(server, sent) == len(sent)

    assert HELD < watch.bytes <= 1.5 * LIMIT
    assert watch.calls <= 1.5 * LIMIT / HELD + 1
    await until(lambda: watch.ledger.held == 0)


async def test_a_stream_of_small_texts_books_the_vectors_of_its_answers(server: Live) -> None:
    watch = Watch(server)
    texts = DataRequest()
    for _ in range(100):
        texts.data.docs.docs.add(text="a")
    sent = [message(text="!sleep 0.2"), *[texts.SerializeToString()] * 20]
    vectors = 100 * 384 * 4

    assert await over_grpc(server, sent) == len(sent)

    assert 3 * vectors < watch.bytes <= 1.5 * LIMIT
    await until(lambda: watch.ledger.held == 0)


async def test_over_http_a_picture_is_booked_as_often_as_it_is_held(server: Live) -> None:
    watch = Watch(server)
    body = {"data": [{"blob": base64.b64encode(PICTURE).decode()}]}

    async with httpx.AsyncClient(base_url=server.url) as client:
        assert (await client.post("/post", json=body)).status_code == 200

    assert watch.bytes > HELD
    await until(lambda: watch.ledger.held == 0)


async def test_what_fails_is_given_back(server: Live) -> None:
    watch = Watch(server)
    async with channel(server) as open_channel:
        call = open_channel.stream_stream(CALL)(iter([message(text="!fail"), b"\xff"]))
        with pytest.raises(grpc.aio.AioRpcError, match="INVALID_ARGUMENT"):
            assert [answer async for answer in call]
    await until(lambda: watch.ledger.held == 0)
