"""Responses with the real, unmodified ``openai`` client against a live port."""

from __future__ import annotations

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

from stelae.service.store import Store

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOOL: Any = {"type": "function", "name": "add", "parameters": {"type": "object"}, "strict": False}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(zoo: Path) -> AsyncIterator[Live]:
    """A server with an echo, for two callers."""
    models = {"echo": {"source": str(zoo / "qwen3-chat"), "engine": "fake_text"}}
    async with live(models=models, api_keys=["ann", "bob"]) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(server: Live) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key="ann", max_retries=0) as opened:
        yield opened


async def test_response_is_answered_whole(client: AsyncOpenAI) -> None:
    made = await client.responses.create(model="echo", input="the river", metadata={"a": "b"})
    assert (made.object, made.status, made.model) == ("response", "completed", "echo")
    assert made.output_text == "the river"
    item: Any = made.output[0]
    assert (item.type, item.status) == ("message", "completed")
    assert made.usage is not None
    assert (made.usage.input_tokens, made.usage.output_tokens, made.usage.total_tokens) == (2, 2, 4)
    assert (made.metadata, made.error, made.incomplete_details) == ({"a": "b"}, None, None)


async def test_thought_text_and_calls_are_steps_of_their_own(client: AsyncOpenAI) -> None:
    said = '!think:hm well !call:add:{"a":1} !call:now:{}'
    made = await client.responses.create(model="echo", input=said, tools=[TOOL])
    thought, message, add, now = made.output
    assert thought.type == "reasoning"
    assert thought.content is not None
    assert thought.content[0].text == "hm"
    assert message.type == "message"
    assert made.output_text.strip() == "well"
    assert add.type == now.type == "function_call"
    assert (add.name, add.arguments, add.call_id) == ("add", '{"a":1}', "call_0")
    assert (now.name, now.arguments, now.call_id) == ("now", "{}", "call_1")
    assert len({item.id for item in made.output}) == 4


def kinds(events: list[Any]) -> list[str]:
    """Types of events, those that follow their like left out."""
    names = [event.type.removeprefix("response.") for event in events]
    return [name for place, name in enumerate(names) if not place or names[place - 1] != name]


async def test_events_come_in_their_order_with_numbers(client: AsyncOpenAI) -> None:
    said = '!think:hm well said !call:add:{"a":1}'
    stream = await client.responses.create(model="echo", input=said, tools=[TOOL], stream=True)
    events = [event async for event in stream]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    step = ["output_item.added", "content_part.added"]
    assert kinds(events) == [
        "created", "in_progress",
        *step, "reasoning_text.delta", "reasoning_text.done", "content_part.done",
        "output_item.done",
        *step, "output_text.delta", "output_text.done", "content_part.done", "output_item.done",
        "output_item.added", "function_call_arguments.delta", "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]  # fmt: skip
    texts = [event.delta for event in events if event.type == "response.output_text.delta"]
    (done,) = [event for event in events if event.type == "response.output_text.done"]
    assert "".join(texts) == done.text
    last = events[-1]
    assert last.type == "response.completed"
    items = [event.item for event in events if event.type == "response.output_item.done"]
    assert [item.id for item in items] == [item.id for item in last.response.output]


async def test_events_are_named_as_their_data(server: Live) -> None:
    body = {"model": "echo", "input": "a", "stream": True}
    async with httpx.AsyncClient(headers={"Authorization": "Bearer ann"}) as http:
        made = await http.post(f"{server.url}/v1/responses", json=body)
    for event in made.text.strip().split("\n\n"):
        name, data = event.split("\n")
        assert name == f"event: {json.loads(data[6:])['type']}"


async def test_helper_of_the_client_puts_events_together(client: AsyncOpenAI) -> None:
    async with client.responses.stream(model="echo", input="a b") as stream:
        made = await stream.get_final_response()
    assert made.output_text == "a b"


async def test_cut_response_is_incomplete(client: AsyncOpenAI) -> None:
    made = await client.responses.create(model="echo", input="a b c", max_output_tokens=2)
    assert (made.status, made.output_text) == ("incomplete", "a b")
    assert made.incomplete_details is not None
    assert made.incomplete_details.reason == "max_output_tokens"
    stream = await client.responses.create(
        model="echo", input="a b c", max_output_tokens=2, stream=True
    )
    assert [event.type async for event in stream][-1] == "response.incomplete"


async def test_conversation_goes_on_from_what_is_kept(client: AsyncOpenAI) -> None:
    first = await client.responses.create(model="echo", input='!call:add:{"a":1}', tools=[TOOL])
    answer: Any = {"type": "function_call_output", "call_id": "call_0", "output": "two words"}
    second = await client.responses.create(
        model="echo", input=[answer], previous_response_id=first.id, tools=[TOOL]
    )
    assert second.output_text == "two words"
    assert second.previous_response_id == first.id
    stream = await client.responses.create(
        model="echo", input="on", previous_response_id=second.id, stream=True
    )
    last = [event async for event in stream][-1]
    assert last.type == "response.completed"
    assert last.response.output_text == "on"


async def test_agent_sends_all_steps_again(client: AsyncOpenAI) -> None:
    how: dict[str, Any] = {
        "model": "echo",
        "instructions": "You work on a repository.",
        "tools": [TOOL],
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "a-session",
        "reasoning": {"effort": "medium", "summary": "auto"},
        "text": {"verbosity": "low"},
        "stream": True,
    }
    steps: list[Any] = [
        {"type": "message", "role": "developer", "content": [text("Be careful.")]},
        {"type": "message", "role": "user", "content": [text('!think:hm !call:add:{"a":1}')]},
    ]
    last = [event async for event in await client.responses.create(**how, input=steps)][-1]
    assert last.type == "response.completed"
    assert [item.type for item in last.response.output] == ["reasoning", "function_call"]
    steps += last.response.output
    steps.append({"type": "function_call_output", "call_id": "call_0", "output": [text("2")]})
    last = [event async for event in await client.responses.create(**how, input=steps)][-1]
    assert last.type == "response.completed"
    assert last.response.output_text == "2"


def text(said: str) -> dict[str, str]:
    """A part of a step."""
    return {"type": "input_text", "text": said}


async def test_kept_response_is_told_again_and_forgotten(client: AsyncOpenAI) -> None:
    made = await client.responses.create(model="echo", input=[{"role": "user", "content": "x y"}])
    found = await client.responses.retrieve(made.id)
    assert found == made
    (item,) = [item async for item in client.responses.input_items.list(made.id)]
    assert item.type == "message"
    assert item.content[0].type == "input_text"
    assert item.content[0].text == "x y"
    await client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        await client.responses.retrieve(made.id)
    with pytest.raises(openai.BadRequestError, match="no response") as caught:
        await client.responses.create(model="echo", input="x", previous_response_id=made.id)
    assert caught.value.param == "previous_response_id"


async def test_what_is_not_to_be_kept_is_not(client: AsyncOpenAI) -> None:
    made = await client.responses.create(model="echo", input="x", store=False)
    assert made.model_dump()["store"] is False
    with pytest.raises(openai.NotFoundError):
        await client.responses.retrieve(made.id)


async def test_store_that_cannot_be_used_is_told(zoo: Path, tmp_path: Path) -> None:
    models = {"echo": {"source": str(zoo / "qwen3-chat"), "engine": "fake_text"}}
    owner = Store(tmp_path)
    owner.files()  # from now on the folder is its own
    async with (
        live(models=models, store={"folder": str(tmp_path)}) as server,
        AsyncOpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0) as there,
    ):
        made = await there.responses.create(model="echo", input="x")
        assert (made.output_text, made.model_dump()["store"]) == ("x", False)
        with pytest.raises(openai.ConflictError, match="another server"):
            await there.responses.create(model="echo", input="x", store=True)
        stream = await there.responses.create(model="echo", input="x", store=True, stream=True)
        with pytest.raises(openai.APIError, match="another server"):
            _ = [event async for event in stream]
    owner.close()


async def test_responses_of_others_are_not_found(client: AsyncOpenAI) -> None:
    made = await client.responses.create(model="echo", input="mine")
    other = client.with_options(api_key="bob")
    for ask in (
        lambda: other.responses.retrieve(made.id),
        lambda: other.responses.delete(made.id),
        lambda: other.responses.cancel(made.id),
    ):
        with pytest.raises(openai.NotFoundError):
            await ask()
    with pytest.raises(openai.BadRequestError):
        await other.responses.create(model="echo", input="x", previous_response_id=made.id)


async def test_response_that_is_over_is_not_cancelled(client: AsyncOpenAI) -> None:
    made = await client.responses.create(model="echo", input="x")
    with pytest.raises(openai.ConflictError) as caught:
        await client.responses.cancel(made.id)
    assert caught.value.response.headers["x-should-retry"] == "false"


async def test_input_is_counted(client: AsyncOpenAI) -> None:
    made = await client.responses.input_tokens.count(model="echo", input="one two three")
    assert made.input_tokens == 3


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "background": ({"background": True}, "background"),
    "conversation": ({"conversation": "c"}, "conversation"),
    "truncation": ({"truncation": "auto"}, "truncation"),
    "tool": ({"tools": [{"type": "web_search"}]}, "tools[0]"),
    "format": ({"text": {"format": {"type": "xml"}}}, "text.format"),
    "role": ({"input": [{"role": "wizard", "content": "x"}]}, "input[0].role"),
    "nothing": ({"input": []}, "input"),
    "step": ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0]"),
    "part": (
        {"input": [{"role": "user", "content": [{"type": "input_file"}]}]},
        "input[0].content[0]",
    ),
    "picture": (
        {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "/x"}]}]},
        "input[0].content[0].image_url",
    ),
    "result": (
        {"input": [{"type": "function_call_output", "call_id": "?", "output": "x"}]},
        "input",
    ),
    "no tokens": ({"max_output_tokens": 0}, "max_output_tokens"),
    "unknown response": ({"previous_response_id": "resp_none"}, "previous_response_id"),
}


@pytest.mark.parametrize("name", BAD)
async def test_bad_requests_are_refused_by_name(client: AsyncOpenAI, name: str) -> None:
    fields, param = BAD[name]
    with pytest.raises(openai.BadRequestError) as caught:
        await client.responses.create(**{"model": "echo", "input": "x", "stream": True, **fields})
    assert caught.value.param == param


async def test_failure_in_mid_stream_ends_with_an_error(client: AsyncOpenAI) -> None:
    stream = await client.responses.create(model="echo", input="one !fail", stream=True)
    seen: list[Any] = []

    async def read() -> None:
        async for event in stream:
            seen.append(event)

    with pytest.raises(openai.APIError, match="told to fail"):
        await read()
    assert seen[-1].type == "response.failed"
    assert seen[-1].response.error.code == "server_error"


async def test_work_ends_when_the_client_leaves(client: AsyncOpenAI, server: Live) -> None:
    stream = await client.responses.create(model="echo", input="!more", stream=True)
    await anext(aiter(stream))
    replica = server.house.fleet._deployments.replica("echo")
    assert replica is not None
    await stream.close()
    await until(lambda: replica.in_flight == 0)
