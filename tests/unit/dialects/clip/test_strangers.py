from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import httpx
import pytest
from live import FAKE, Live, live

from stelae.wire.clip.messages import DataRequest
from stelae.wire.clip.names import CALL, SINGLE

ADDRESSES = ("http://127.0.0.1:0", "grpc://127.0.0.1:0")
PROFILE = {"exec_endpoint": "/", "parameters": {"__results__": {}}, "data": [{"id": "a"}]}


def message(endpoint: str = "/", **content: Any) -> bytes:
    made = DataRequest()
    made.header.request_id, made.header.exec_endpoint = "r", endpoint
    made.data.docs.docs.add(id="a", **content)
    return made.SerializeToString()


ASKING_MORE: list[dict[str, Any]] = [
    {**PROFILE, "data": [{"text": "a"}]},
    {**PROFILE, "data": [{"uri": "http://127.0.0.1/a.png"}]},
    {**PROFILE, "data": [{"tensor": [[[1, 2, 3]]]}]},
    {**PROFILE, "data": [{"chunks": [{"text": "a"}]}]},
    {**PROFILE, "data": [{"id": "a"}, {"id": "b"}]},
    {**PROFILE, "data": [{"tags": {"a": "x" * 5000}}]},
    *({**PROFILE, "exec_endpoint": f"/{verb}"} for verb in ("encode", "search", "status")),
]

MORE = [
    message(text="a"),
    message(uri="http://127.0.0.1/a.png"),
    message(blob=b"x"),
    message(parent_id="x" * 5000),
    *(message(f"/{verb}") for verb in ("encode", "rank", "search", "filter", "status")),
]


async def served(*, letting_in: bool) -> AsyncIterator[Live]:
    clip = {"model": "fake", "anonymous_profile": letting_in}
    async with live(at=ADDRESSES, models={"fake": FAKE}, clip=clip, api_keys=["sesame"]) as made:
        yield made


@pytest.fixture
async def server() -> AsyncIterator[Live]:
    async for made in served(letting_in=True):
        yield made


@pytest.fixture
async def reserved() -> AsyncIterator[Live]:
    async for made in served(letting_in=False):
        yield made


async def posted(server: Live, body: dict[str, Any], path: str = "/post") -> httpx.Response:
    async with httpx.AsyncClient(base_url=server.url) as http:
        return await http.post(path, json=body)


async def called(server: Live, data: bytes) -> grpc.StatusCode:
    target = server.urls[1].removeprefix("grpc://")
    async with grpc.aio.insecure_channel(target) as channel:
        call = channel.stream_stream(CALL)(iter([data]))
        try:
            answers = [DataRequest.FromString(answer) async for answer in call]
        except grpc.aio.AioRpcError as error:
            return error.code()
        assert [answer.header.request_id for answer in answers] == ["r"]
        return grpc.StatusCode.OK


async def test_a_profile_without_content_is_answered_to_strangers(server: Live) -> None:
    answer = await posted(server, PROFILE)
    assert answer.status_code == 200
    assert len(answer.json()["routes"]) == 2
    assert "embedding" not in answer.json()["data"][0]
    assert await called(server, message()) is grpc.StatusCode.OK


@pytest.mark.parametrize("body", ASKING_MORE)
async def test_whatever_else_strangers_post_is_refused(server: Live, body: dict[str, Any]) -> None:
    assert (await posted(server, body)).status_code == 401


@pytest.mark.parametrize("path", ["/index", "/search", "/v1/embeddings", "/nowhere"])
async def test_other_paths_are_closed_to_strangers(server: Live, path: str) -> None:
    assert (await posted(server, PROFILE, path)).status_code == 401


@pytest.mark.parametrize("data", MORE)
async def test_whatever_else_strangers_call_is_refused(server: Live, data: bytes) -> None:
    assert await called(server, data) is grpc.StatusCode.UNAUTHENTICATED


async def test_other_methods_are_closed_to_strangers(server: Live) -> None:
    target = server.urls[1].removeprefix("grpc://")
    async with grpc.aio.insecure_channel(target) as channel:
        with pytest.raises(grpc.aio.AioRpcError, match="UNAUTHENTICATED"):
            await channel.unary_unary(SINGLE)(message())


async def test_nothing_is_answered_to_strangers_unless_the_settings_say_so(reserved: Live) -> None:
    assert (await posted(reserved, PROFILE)).status_code == 401
    assert await called(reserved, message()) is grpc.StatusCode.UNAUTHENTICATED
