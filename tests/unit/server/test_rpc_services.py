"""gRPC's own services, asked by the stubs that its makers publish."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from live import FAKE, Live, live, until

ADDRESSES = ("http://127.0.0.1:0", "grpc://127.0.0.1:0")
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
V1 = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"


@pytest.fixture
async def server() -> AsyncIterator[Live]:
    async with live(at=ADDRESSES, models={"fake": FAKE}) as made:
        yield made


def target(server: Live) -> str:
    return server.urls[1].removeprefix("grpc://")


@pytest.fixture
async def channel(server: Live) -> AsyncIterator[Any]:
    async with grpc.aio.insecure_channel(target(server)) as made:
        yield made


async def asked(channel: Any, method: str, **question: Any) -> Any:
    questions = iter([reflection_pb2.ServerReflectionRequest(**question).SerializeToString()])
    (data,) = [answer async for answer in channel.stream_stream(method)(questions)]
    return reflection_pb2.ServerReflectionResponse.FromString(data)


# -- health --------------------------------------------------------------------------------


async def test_the_published_stub_reads_the_health(channel: Any) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    for service in ("", "jina.JinaRPC", "grpc.health.v1.Health"):
        told = await stub.Check(health_pb2.HealthCheckRequest(service=service))
        assert told.status == SERVING
    with pytest.raises(grpc.aio.AioRpcError, match="NOT_FOUND"):
        await stub.Check(health_pb2.HealthCheckRequest(service="x"))


async def test_who_watches_is_told_at_once_and_at_every_change(server: Live, channel: Any) -> None:
    watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
    assert (await watch.read()).status == SERVING

    await server.house.fleet._admission.close(0.0)

    assert (await watch.read()).status == NOT_SERVING


async def test_who_watches_an_unknown_service_is_told_that_and_waits(channel: Any) -> None:
    watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service="x"))
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    assert not watch.done()


async def test_a_watch_does_not_hold_up_the_end_of_the_server() -> None:
    async with live(at=ADDRESSES, limits={"drain_seconds": 300}) as server:
        channel = grpc.aio.insecure_channel(target(server))
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == SERVING
    assert await watch.code() is grpc.StatusCode.UNAVAILABLE
    await channel.close()


async def test_a_watch_ends_with_its_caller(server: Live, channel: Any) -> None:
    in_flight = b"stelae_requests_in_flight 0"
    watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
    await watch.read()
    assert in_flight not in server.app.reception.metrics.render()
    watch.cancel()
    await until(lambda: in_flight in server.app.reception.metrics.render())


# -- reflection ----------------------------------------------------------------------------


async def test_the_published_client_learns_all_services_and_their_messages(server: Live) -> None:
    def learnt() -> tuple[list[str], list[str], str]:
        with grpc.insecure_channel(target(server)) as channel:
            database = ProtoReflectionDescriptorDatabase(channel)
            pool = DescriptorPool(database)
            call = pool.FindServiceByName("jina.JinaRPC").FindMethodByName("Call")
            fields = call.input_type.fields_by_name["data"].message_type.fields_by_name
            return list(database.get_services()), list(fields), call.output_type.full_name

    services, fields, answer = await asyncio.to_thread(learnt)

    assert {"jina.JinaRPC", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"} < set(
        services
    )
    assert fields == ["docs", "docs_bytes"]
    assert answer == "jina.DataRequestProto"


async def test_every_method_that_is_told_of_is_there_and_the_other_way_round(server: Live) -> None:
    def told() -> set[str]:
        with grpc.insecure_channel(target(server)) as channel:
            database = ProtoReflectionDescriptorDatabase(channel)
            pool = DescriptorPool(database)
            return {
                f"/{service}/{method.name}"
                for service in database.get_services()
                for method in pool.FindServiceByName(service).methods
            }

    there = {rpc.method for dialect in server.carriers._assembly.dialects for rpc in dialect.rpcs}
    assert await asyncio.to_thread(told) == there


async def test_both_versions_answer_alike(channel: Any) -> None:
    method = V1.replace("v1", "v1alpha")
    for question in (
        {"list_services": ""},
        {"file_by_filename": "docarray.proto"},
        {"file_containing_symbol": "docarray.DocumentProto"},
    ):
        assert await asked(channel, V1, **question) == await asked(channel, method, **question)


@pytest.mark.parametrize(
    ("question", "code"),
    [
        ({"file_by_filename": "nowhere.proto"}, 5),
        ({"file_containing_symbol": "nowhere.Message"}, 5),
        ({"all_extension_numbers_of_type": "nowhere.Message"}, 5),
        ({}, 3),
    ],
)
async def test_what_is_not_here_is_told_in_the_answer(
    channel: Any, question: dict[str, Any], code: int
) -> None:
    answer = await asked(channel, V1, **question)
    assert answer.error_response.error_code == code


async def test_reflection_can_be_switched_off_and_needs_the_key() -> None:
    settings: list[tuple[dict[str, Any], str]] = [
        ({"reflection": False}, "UNIMPLEMENTED"),
        ({"api_keys": ["sesame"]}, "UNAUTHENTICATED"),
    ]
    for given, status in settings:
        async with (
            live(at=ADDRESSES, **given) as server,
            grpc.aio.insecure_channel(target(server)) as channel,
        ):
            with pytest.raises(grpc.aio.AioRpcError, match=status):
                await asked(channel, V1, list_services="")
