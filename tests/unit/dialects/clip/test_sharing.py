"""What is run, counted: batches of all protocols together, and nothing twice that is remembered."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import httpx
from live import FAKE, Live, live, until
from websockets.asyncio.client import connect

from stelae.wire.clip.messages import DataRequest
from stelae.wire.clip.names import CALL

ADDRESSES = ("http://127.0.0.1:0", "grpc://127.0.0.1:0")
LABELS = [f"a photo of number {number}" for number in range(12)]


def server(**settings: Any) -> Any:
    return live(at=ADDRESSES, models={"fake": FAKE}, clip={"model": "fake"}, **settings)


def ran(made: Live) -> tuple[int, int]:
    """Batches that the model ran, and items in them."""
    (sample,) = [sample for sample in made.house.fleet.samples() if sample.model == "fake"]
    return sample.batches, sample.batch_entries


def message(text: str) -> bytes:
    request = DataRequest()
    request.data.docs.docs.add().text = text
    return request.SerializeToString()


async def over_grpc(made: Live, text: str) -> None:
    async with grpc.aio.insecure_channel(made.urls[1].removeprefix("grpc://")) as channel:
        (answer,) = [said async for said in channel.stream_stream(CALL)(iter([message(text)]))]
    assert DataRequest.FromString(answer).data.docs.docs[0].HasField("embedding")


async def over_a_socket(made: Live, text: str) -> None:
    async with connect(made.url.replace("http", "ws", 1)) as connection:
        await connection.send(message(text))
        answer = DataRequest.FromString(await connection.recv())
    assert answer.data.docs.docs[0].HasField("embedding")


async def over_http(made: Live, text: str) -> None:
    async with httpx.AsyncClient(base_url=made.url) as client:
        answer = await client.post("/post", json={"data": [{"text": text}]})
    assert answer.json()["data"][0]["embedding"]


async def ranked(made: Live, picture: bytes) -> list[str]:
    request = DataRequest()
    request.header.exec_endpoint = "/rank"
    document = request.data.docs.docs.add(blob=picture)
    for label in LABELS:
        document.matches.add(text=label)
    async with grpc.aio.insecure_channel(made.urls[1].removeprefix("grpc://")) as channel:
        call = channel.stream_stream(CALL)(iter([request.SerializeToString()]))
        (answer,) = [said async for said in call]
    return [match.text for match in DataRequest.FromString(answer).data.docs.docs[0].matches]


async def test_all_protocols_and_connections_share_batches() -> None:
    async with server() as made:
        await made.house.fleet.load("fake")
        (replica,) = made.house.fleet._deployments.controller.replicas("fake")
        batches, items = ran(made)
        first = asyncio.create_task(over_grpc(made, "!sleep 1"))  # meanwhile others gather
        await until(lambda: replica.in_flight == 1)
        ways = (over_grpc, over_a_socket, over_http, over_grpc, over_a_socket, over_http)
        await asyncio.gather(*(way(made, f"text {n}") for n, way in enumerate(ways)))
        await first
        assert ran(made) == (batches + 2, items + 7)


async def test_labels_that_are_remembered_cost_one_picture_a_ranking() -> None:
    async with server(cache={"bytes": 1_000_000}) as made:
        await made.house.fleet.load("fake")
        _, items = ran(made)
        found = [await ranked(made, b"picture %d" % number) for number in range(3)]
        assert ran(made)[1] == items + len(LABELS) + 3
        assert await ranked(made, b"picture 0") == found[0]
        assert ran(made)[1] == items + len(LABELS) + 3
        assert all(sorted(texts) == sorted(LABELS) for texts in found)
