"""Chats and completions with the real, unmodified ``openai`` client against a live port."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
import pytest_asyncio
from live import Live, live, until
from openai import AsyncOpenAI

pytestmark = pytest.mark.asyncio(loop_scope="module")

HELLO: list[Any] = [{"role": "user", "content": "the river flows to the sea"}]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(zoo: Path) -> AsyncIterator[Live]:
    """A server with an echo, and a small real checkpoint."""
    folder = str(zoo / "qwen3-chat")
    models = {
        "echo": {"source": folder, "engine": "fake_text"},
        "tiny": {"source": folder, "dtype": "float32"},
        "vectors": {"source": "embedded", "engine": "fake"},
    }
    async with live(models=models) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(server: Live) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0) as opened:
        yield opened


async def test_chat_is_answered_whole(client: AsyncOpenAI) -> None:
    made = await client.chat.completions.create(model="echo", messages=HELLO)
    assert (made.object, made.model) == ("chat.completion", "echo")
    (choice,) = made.choices
    assert (choice.message.role, choice.finish_reason) == ("assistant", "stop")
    assert choice.message.content == "the river flows to the sea"
    assert made.usage is not None
    assert (made.usage.prompt_tokens, made.usage.completion_tokens) == (6, 6)
    assert made.usage.total_tokens == 12


async def test_chat_is_answered_in_events(client: AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="echo", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    assert chunks[0].choices[0].delta.role == "assistant"
    texts = [c.choices[0].delta.content or "" for c in chunks if c.choices]
    assert "".join(texts) == "the river flows to the sea"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 12
    assert len({chunk.id for chunk in chunks}) == 1
    assert all(chunk.usage is None for chunk in chunks[:-1])


async def test_events_end_with_done_and_tell_no_usage_unasked(server: Live) -> None:
    body = {"model": "echo", "messages": HELLO, "stream": True}
    async with httpx.AsyncClient() as http:
        made = await http.post(f"{server.url}/v1/chat/completions", json=body)
    assert made.headers["content-type"].startswith("text/event-stream")
    events = made.text.split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    assert all("usage" not in json.loads(event[6:]) for event in events[:-2])


async def test_model_of_the_zoo_writes_the_same_whole_and_in_events(client: AsyncOpenAI) -> None:
    asked: dict[str, Any] = {"model": "tiny", "messages": HELLO, "temperature": 0, "max_tokens": 12}
    whole = await client.chat.completions.create(**asked, logprobs=True, top_logprobs=2)
    stream = await client.chat.completions.create(**asked, stream=True)
    parts = [c.choices[0].delta.content or "" async for c in stream if c.choices]
    assert "".join(parts) == whole.choices[0].message.content
    told = whole.choices[0].logprobs
    assert told is not None
    assert told.content is not None
    assert len(told.content) == 12
    for token in told.content:
        assert token.logprob == token.top_logprobs[0].logprob
        assert len(token.top_logprobs) == 2


async def test_several_texts_are_told_by_index(client: AsyncOpenAI) -> None:
    made = await client.chat.completions.create(model="echo", messages=HELLO, n=3)
    assert [choice.index for choice in made.choices] == [0, 1, 2]
    assert {choice.message.content for choice in made.choices} == {"the river flows to the sea"}


async def test_completion_goes_on_with_a_text(client: AsyncOpenAI) -> None:
    made = await client.completions.create(model="echo", prompt="one two three")
    assert (made.object, made.choices[0].text) == ("text_completion", "one two three")
    stream = await client.completions.create(model="echo", prompt="one two", stream=True)
    assert "".join([c.choices[0].text async for c in stream if c.choices]) == "one two"


async def test_tool_results_and_parts_are_understood(client: AsyncOpenAI) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
    messages: list[Any] = [
        {"role": "system", "content": "You add."},
        {"role": "user", "content": [{"type": "text", "text": "add"}]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "one more"},
    ]
    made = await client.chat.completions.create(model="echo", messages=messages)
    assert made.choices[0].message.content == "one more"


BAD: dict[str, dict[str, Any]] = {
    "unknown role": {"messages": [{"role": "wizard", "content": "x"}]},
    "no messages": {"messages": []},
    "no content": {"messages": [{"role": "user"}]},
    "image": {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
    "file": {"messages": [{"role": "user", "content": [{"type": "file", "file": {}}]}]},
    "address": {
        "messages": [
            {"role": "user", "content": [{"type": "image_url", "image_url": "/etc/passwd"}]}
        ]
    },
    "tool without a call": {"messages": [{"role": "tool", "tool_call_id": "?", "content": "x"}]},
    "no tokens": {"max_tokens": 0},
    "too many tokens": {"max_tokens": 2**63},
    "fewer than none": {"max_tokens": -1},
    "cold": {"temperature": -0.1},
    "top_p": {"top_p": 0},
    "many texts": {"n": 10**6},
    "no text": {"n": 0},
    "stops": {"stop": ["x"] * 10_000},
    "empty stop": {"stop": ""},
    "bias": {"logit_bias": {"x": 1}},
    "top_logprobs": {"logprobs": True, "top_logprobs": 10**6},
    "format": {"response_format": {"type": "xml"}},
    "two formats": {
        "response_format": {"type": "json_object"},
        "extra_body": {"guided_regex": "a"},
    },
    "no tools": {"tool_choice": "required"},
    "tool_choice": {"tool_choice": "maybe"},
    "no function": {"tools": [{"type": "web_search"}]},
    "audio": {"modalities": ["text", "audio"]},
    "template": {"extra_body": {"chat_template": "{{ 1 }}"}},
    "10,001 messages": {"messages": HELLO * 10_001},
}


@pytest.mark.parametrize("name", BAD)
async def test_bad_requests_are_refused_with_400(client: AsyncOpenAI, name: str) -> None:
    asked: dict[str, Any] = {"model": "echo", "messages": HELLO, "stream": True, **BAD[name]}
    with pytest.raises(openai.BadRequestError) as caught:
        await client.chat.completions.create(**asked)
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["message"]


@pytest.mark.parametrize("value", ["NaN", "1e400", "Infinity"])
async def test_numbers_that_are_none_are_refused(server: Live, value: str) -> None:
    body = json.dumps({"model": "echo", "messages": HELLO})[:-1] + f', "temperature": {value}}}'
    async with httpx.AsyncClient() as http:
        made = await http.post(f"{server.url}/v1/chat/completions", content=body)
    assert made.status_code == 400


async def test_too_long_a_conversation_is_named_as_the_client_knows_it(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await client.chat.completions.create(
            model="tiny", messages=[{"role": "user", "content": "sea " * 900}], stream=True
        )
    assert caught.value.code == "context_length_exceeded"


async def test_models_that_do_not_chat_say_so(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="cannot chat"):
        await client.chat.completions.create(model="vectors", messages=HELLO)
    with pytest.raises(openai.BadRequestError, match="cannot encode"):
        await client.embeddings.create(model="echo", input="x")
    with pytest.raises(openai.NotFoundError):
        await client.chat.completions.create(model="nobody", messages=HELLO)


async def test_failure_in_mid_stream_is_an_error_of_the_client(client: AsyncOpenAI) -> None:
    said: list[Any] = [{"role": "user", "content": "one two !fail"}]
    stream = await client.chat.completions.create(model="echo", messages=said, stream=True)
    texts: list[str] = []

    async def read() -> None:
        async for chunk in stream:
            texts.extend(choice.delta.content or "" for choice in chunk.choices)

    with pytest.raises(openai.APIError, match="told to fail"):
        await read()
    assert "".join(texts) == "one two"


async def test_failed_stream_has_no_done(server: Live) -> None:
    said = [{"role": "user", "content": "one !fail"}]
    body = {"model": "echo", "messages": said, "stream": True}
    async with httpx.AsyncClient() as http:
        made = await http.post(f"{server.url}/v1/chat/completions", json=body)
    last = made.text.rstrip().split("\n\n")[-1]
    assert json.loads(last[6:])["error"]["code"] == "engine_failed"
    assert "[DONE]" not in made.text


async def test_deadline_in_mid_stream_is_an_error(client: AsyncOpenAI) -> None:
    said: list[Any] = [{"role": "user", "content": "one !wait"}]
    stream = await client.chat.completions.create(
        model="echo",
        messages=said,
        stream=True,
        extra_headers={"X-Request-Timeout-Ms": "400"},
    )
    with pytest.raises(openai.APIError, match="within"):
        _ = [chunk async for chunk in stream]


async def test_work_ends_when_the_client_leaves_in_mid_stream(
    client: AsyncOpenAI, server: Live
) -> None:
    said: list[Any] = [{"role": "user", "content": "!more"}]
    stream = await client.chat.completions.create(model="echo", messages=said, stream=True)
    await anext(aiter(stream))
    replica = server.house.fleet._deployments.replica("echo")
    assert replica is not None
    assert replica.in_flight >= 1
    await stream.close()
    await until(lambda: replica.in_flight == 0, seconds=20)


async def test_prompt_that_fails_ends_the_others(client: AsyncOpenAI, server: Live) -> None:
    prompts = ["one !fail", *["!more"] * 20]
    with pytest.raises(openai.InternalServerError, match="told to fail"):
        await client.completions.create(model="echo", prompt=prompts, max_tokens=None)
    replica = server.house.fleet._deployments.replica("echo")
    assert replica is not None
    await until(lambda: replica.in_flight == 0, seconds=20)
    assert server.app.reception.ledger.held == 0


async def test_many_chats_at_once_keep_apart(client: AsyncOpenAI) -> None:
    async def ask(i: int) -> str | None:
        said: list[Any] = [{"role": "user", "content": f"number {i} of many"}]
        made = await client.chat.completions.create(model="echo", messages=said)
        return made.choices[0].message.content

    answers = await asyncio.gather(*(ask(i) for i in range(40)))
    assert answers == [f"number {i} of many" for i in range(40)]
