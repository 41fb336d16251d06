from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from live import FAKE, Live, live, until
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from stelae.wire.clip import arrays, structs
from stelae.wire.clip.messages import DataRequest, Endpoints, JinaInfo, Status
from stelae.wire.clip.names import CALL, DRY_RUN, END, ENDPOINTS, INFO, SINGLE

ADDRESSES = ("http://127.0.0.1:0", "grpc://127.0.0.1:0")
BYTES: Any = ["bytes"]


def request(name: str, *texts: str, **parameters: Any) -> bytes:
    made = DataRequest()
    made.header.request_id, made.header.exec_endpoint = name, "/encode"
    structs.fill(made.parameters, parameters)
    made.data.docs.SetInParent()
    for text in texts:
        made.data.docs.docs.add().text = text
    return made.SerializeToString()


def broken(name: str) -> bytes:
    made = DataRequest()
    made.header.request_id = name
    made.data.docs.docs.add().blob = b"no picture"
    return made.SerializeToString()


@pytest.fixture
async def server() -> AsyncIterator[Live]:
    models = {"fake": FAKE, "seeing": {"source": "embedded"}}
    async with live(at=ADDRESSES, models=models, clip={"model": "fake"}) as made:
        await made.house.fleet.load("fake")
        yield made


@pytest.fixture
async def channel(server: Live) -> AsyncIterator[Any]:
    target = server.urls[1].removeprefix("grpc://")
    async with grpc.aio.insecure_channel(target) as made:
        yield made


def socket(server: Live, path: str = "/", **more: Any) -> Any:
    return connect(server.url.replace("http", "ws", 1) + path, **more)


async def closed(connection: ClientConnection) -> tuple[int | None, str]:
    with contextlib.suppress(ConnectionClosed):
        await connection.recv()
    return connection.close_code, connection.close_reason or ""


# -- gRPC ----------------------------------------------------------------------------------


async def test_a_stream_answers_each_request_under_its_name(channel: Any) -> None:
    sent = [request(str(n), f"text {n}") for n in range(50)]

    found = [DataRequest.FromString(data) async for data in channel.stream_stream(CALL)(iter(sent))]

    assert {answer.header.request_id for answer in found} == {str(n) for n in range(50)}
    for answer in found:
        (doc,) = answer.data.docs.docs
        assert doc.text == f"text {answer.header.request_id}"
        assert arrays.read(doc.embedding).shape == (384,)


async def test_answers_come_in_order_where_that_is_wanted(channel: Any) -> None:
    sent = [request(str(n), *["many words " * 50] * (1 + 9 * (n % 2 == 0))) for n in range(20)]
    wanted = (("__results_in_order__", "true"), ("__prefetch__", "8"))

    stream = channel.stream_stream(CALL)(iter(sent), metadata=wanted)

    names = [DataRequest.FromString(data).header.request_id async for data in stream]
    assert names == [str(n) for n in range(20)]


async def test_a_stream_of_no_requests_ends_well(channel: Any) -> None:
    assert [data async for data in channel.stream_stream(CALL)(iter(()))] == []


async def test_a_broken_request_harms_no_other_of_its_stream(channel: Any) -> None:
    sent = [request("a", "a"), broken("b"), request("c", "c", access_paths="@?")]

    stream = channel.stream_stream(CALL)(iter(sent))

    found = [DataRequest.FromString(data) async for data in stream]
    codes = {answer.header.request_id: answer.header.status.code for answer in found}
    assert codes == {"a": 0, "b": 0, "c": 1}  # the fake model reads any picture


async def test_every_message_of_a_stream_is_counted(server: Live, channel: Any) -> None:
    sent = [request(str(n), "a", "b") for n in range(20)]
    sent.append(request("wrong", "a", access_paths="@?"))

    [data async for data in channel.stream_stream(CALL)(iter(sent))]

    told = server.app.reception.metrics.render().decode()
    assert 'stelae_items_total{model="fake"} 40.0' in told
    assert 'stelae_errors_total{code="invalid_input"} 1.0' in told


async def test_bytes_that_are_no_request_end_the_call_with_a_reason(channel: Any) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await channel.unary_unary(SINGLE)(b"\xff\xff")

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "DataRequestProto" in str(caught.value.details())


async def test_the_small_methods_answer(channel: Any) -> None:
    single = DataRequest.FromString(await channel.unary_unary(SINGLE)(request("one", "a")))
    assert single.header.request_id == "one"
    assert await channel.unary_unary(DRY_RUN)(b"") == b""
    endpoints = Endpoints.FromString(await channel.unary_unary(ENDPOINTS)(b""))
    assert {"/encode", "/rank", "/index", "/search"} <= set(endpoints.endpoints)
    assert "stelae" in JinaInfo.FromString(await channel.unary_unary(INFO)(b"")).jina


async def test_a_caller_that_leaves_leaves_no_work(server: Live, channel: Any) -> None:
    async def endless() -> AsyncIterator[bytes]:
        number = 0
        while True:
            yield request(str(number), f"text {number}")
            number += 1

    stream = channel.stream_stream(CALL)(endless())
    await stream.read()
    stream.cancel()

    ledger = server.app.reception.ledger
    (replica,) = server.house.fleet._deployments.controller.replicas("fake")
    await until(lambda: not ledger.held and not replica.in_flight)


# -- WebSockets ----------------------------------------------------------------------------


async def test_a_socket_answers_and_ends_when_there_are_no_more_requests(server: Live) -> None:
    async with socket(server, subprotocols=BYTES) as connection:
        for number in range(20):
            await connection.send(request(str(number), "a"))
        await connection.send(END)
        found = [DataRequest.FromString(await connection.recv()) for _ in range(20)]
        assert await closed(connection) == (1000, "")

    assert {answer.header.request_id for answer in found} == {str(n) for n in range(20)}
    assert all(answer.data.docs.docs[0].HasField("embedding") for answer in found)


async def test_the_end_waits_for_whoever_is_told_of_an_error(server: Live) -> None:
    async with socket(server, subprotocols=BYTES) as connection:
        await connection.send(request("r", "a", access_paths="@?"))
        await connection.send(END)
        answer = DataRequest.FromString(await connection.recv())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(connection.recv(), 0.2)
        assert await closed(connection) == (1000, "")
    assert answer.header.status.code == 1


async def test_bytes_that_are_no_request_close_the_socket_with_a_reason(server: Live) -> None:
    for junk in (b"\xff\xff", "{", '{"data": 3}'):
        async with socket(server) as connection:
            await connection.send(junk)
            code, reason = await closed(connection)
        assert code == 1011
        assert reason


async def test_answers_that_the_client_cannot_take_are_errors(server: Live) -> None:
    async with socket(server, subprotocols=BYTES, max_size=None) as connection:
        await connection.send(request("r", "a" * 4_300_000))
        answer = DataRequest.FromString(await connection.recv())

    assert "batch_size" in answer.header.status.description
    assert answer.header.request_id == "r"


async def test_browsers_speak_json_in_text(server: Live) -> None:
    async with socket(server) as connection:
        body = {"data": [{"id": "x", "text": "a"}], "execEndpoint": "/encode"}
        await connection.send(json.dumps(body | {"header": {"requestId": "r"}}))
        await connection.send("{}")
        answer = json.loads(await connection.recv())
        assert await closed(connection) == (1000, "")

    assert answer["header"]["request_id"] == "r"
    assert answer["header"]["exec_endpoint"] == "/encode"
    assert set(answer["routes"][0]) == {"executor", "start_time", "end_time", "status"}
    assert len(answer["data"][0]["embedding"]) == 384


async def test_a_socket_is_told_that_the_server_is_ready(server: Live) -> None:
    async with socket(server, "/dry_run", subprotocols=BYTES) as connection:
        await connection.send(b"")
        assert Status.FromString(await connection.recv()).code == 0
        assert await closed(connection) == (1000, "")


async def test_sockets_need_the_key_and_their_readiness_does_not() -> None:
    async with live(api_keys=["sesame"], clip={"model": "fake"}) as server:
        with pytest.raises(InvalidStatus, match="401"):
            await socket(server).__aenter__()
        async with socket(server, "/dry_run") as connection:
            await connection.send("")
            assert json.loads(await connection.recv())["code"] == 0
        shown = {"Authorization": "sesame"}
        async with socket(server, additional_headers=shown) as connection:
            await connection.send(request("r", "a"))
            assert DataRequest.FromString(await connection.recv()).header.request_id == "r"


async def test_a_peer_that_leaves_leaves_no_work(server: Live) -> None:
    async with socket(server, subprotocols=BYTES) as connection:
        for number in range(64):
            await connection.send(request(str(number), *["text"] * 50))
        connection.transport.abort()

    ledger = server.app.reception.ledger
    (replica,) = server.house.fleet._deployments.controller.replicas("fake")
    await until(lambda: not ledger.held and not replica.in_flight)
