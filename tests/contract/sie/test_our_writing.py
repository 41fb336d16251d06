"""``stelae.sie``'s texts: the SDK's names, dicts and errors."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import fix_told
import pytest
import pytest_asyncio
from fix_told import calling, heard, told
from live import FAKE, Live, live, until
from PIL import Image

from stelae.sie import RequestError, ServerError, SIEAsyncClient, SIEClient
from stelae.types import Structure

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]

KEY = "sesame"
WRITER = "org/writer"
HELLO: list[Any] = [{"role": "user", "content": "one two three"}]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(zoo: Path) -> AsyncIterator[Live]:
    models = {WRITER: fix_told.settings(zoo / "qwen3-chat"), "fake": FAKE}
    with pytest.MonkeyPatch.context() as patch:
        fix_told.install(patch)
        async with live(api_keys=[KEY], models=models) as made:
            await made.house.fleet.load(WRITER)
            yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(server: Live) -> AsyncIterator[SIEAsyncClient]:
    async with SIEAsyncClient(server.url, api_key=KEY, options={"top_k": 7}) as opened:
        yield opened


async def test_text_is_gone_on_with(client: SIEAsyncClient) -> None:
    made = await client.generate(WRITER, "one two three", max_new_tokens=8, seed=3)
    assert (made["model"], made["text"], made["finish_reason"]) == (
        WRITER, "one two three", "stop",
    )  # fmt: skip
    assert made["usage"]["total_tokens"] == 6
    assert made["request"]["usage"]["input_tokens"] == 3
    asked = heard_prompts()[-1]
    assert (asked.sampling.max_tokens, asked.sampling.seed, asked.sampling.top_k) == (8, 3, 7)


def heard_prompts() -> list[Any]:
    return [call for call in fix_told.HEARD if call.prompt is not None]


async def test_text_comes_chunk_by_chunk(client: SIEAsyncClient) -> None:
    stream = client.stream_generate(WRITER, "one two", max_new_tokens=8, stop=["END"])
    chunks = [chunk async for chunk in stream]
    assert [chunk["text_delta"] for chunk in chunks] == ["one", " two", ""]
    assert chunks[-1]["done"]
    assert chunks[-1]["usage"]["total_tokens"] == 4


async def test_pictures_and_grammars_reach_the_model(client: SIEAsyncClient) -> None:
    grammar = {"regex": "[a-z?]+"}
    picture = Image.new("RGB", (4, 4))
    made = await client.generate(
        WRITER, "what?", max_new_tokens=3, images=[picture, {"data": picture}], grammar=grammar
    )
    assert made["text"] == "what?"
    asked = heard()[-1]
    assert asked.structure == Structure(regex="[a-z?]+")
    assert len(asked.messages[0].images) == 2
    with pytest.raises(RequestError, match=r"images\[0\]"):
        await client.generate(WRITER, "what?", max_new_tokens=3, images=[7])


async def test_chats_call_tools(client: SIEAsyncClient) -> None:
    tool = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
    asked: list[Any] = [{"role": "user", "content": told(*calling("add", '{"a": 1}'))}]
    made = await client.chat_completions(WRITER, asked, tools=[tool], max_completion_tokens=9)
    (call,) = made["choices"][0]["message"]["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == {"a": 1}
    parts = [
        part
        async for part in client.stream_chat_completions(
            WRITER, HELLO, stream_options={"include_usage": True}, extra_body={"top_k": 2}
        )
    ]
    said = [part["choices"][0]["delta"].get("content") or "" for part in parts if part["choices"]]
    assert "".join(said) == "one two three"
    used = parts[-1]["usage"]
    assert used is not None
    assert used["total_tokens"] == 6
    assert heard()[-1].sampling.top_k == 2


async def test_responses_are_texts_too(client: SIEAsyncClient) -> None:
    made = await client.responses(WRITER, "one two", max_output_tokens=9)
    assert made["output"][-1]["content"][0]["text"] == "one two"


async def test_failures_are_errors_of_the_sdk(client: SIEAsyncClient) -> None:
    with pytest.raises(RequestError) as caught:
        await client.generate("none", "hi", max_new_tokens=3)
    assert (caught.value.code, caught.value.status_code) == ("MODEL_NOT_FOUND", 404)
    with pytest.raises(RequestError) as caught:
        await client.chat_completions("fake", HELLO)
    assert caught.value.code == "INVALID_INPUT"
    with pytest.raises(RequestError) as caught:
        await client.generate(WRITER, "hi", max_new_tokens=0)
    assert (caught.value.code, caught.value.param) == ("INVALID_INPUT", "max_tokens")
    with pytest.raises(ServerError, match="told to fail") as failed:
        async for _ in client.stream_generate(WRITER, "one two !fail", max_new_tokens=9):
            pass
    assert failed.value.code == "INFERENCE_ERROR"
    fails: list[Any] = [{"role": "user", "content": "one !fail"}]
    with pytest.raises(ServerError, match="told to fail"):
        async for _ in client.stream_chat_completions(WRITER, fails):
            pass


async def test_leaving_a_stream_ends_the_work(client: SIEAsyncClient, server: Live) -> None:
    async with aclosing(client.stream_generate(WRITER, "!more", max_new_tokens=99)) as chunks:
        await anext(chunks)
    replica = server.house.fleet._deployments.replica(WRITER)
    assert replica is not None
    await until(lambda: replica.in_flight == 0)


async def test_the_client_without_await_writes_as_well(server: Live) -> None:
    def ask() -> tuple[str, str]:
        with SIEClient(server.url, api_key=KEY) as client:
            whole = client.generate(WRITER, "one two", max_new_tokens=8)["text"]
            chunks = client.stream_generate(WRITER, "one two", max_new_tokens=8)
            return whole, "".join(chunk["text_delta"] for chunk in chunks)

    assert await asyncio.to_thread(ask) == ("one two", "one two")
