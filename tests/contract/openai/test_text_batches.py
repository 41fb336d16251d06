"""Batches over all that is written, with the real ``openai`` client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest
import pytest_asyncio
from live import FAKE, Live, live
from openai import AsyncOpenAI

pytestmark = pytest.mark.asyncio(loop_scope="module")

HELLO = [{"role": "user", "content": "the river"}]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(zoo: Path) -> AsyncIterator[Live]:
    echo = {"source": str(zoo / "qwen3-chat"), "engine": "fake_text"}
    async with live(models={"echo": echo, "fake": FAKE}) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(server: Live) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0) as opened:
        yield opened


async def results(client: AsyncOpenAI, endpoint: Any, *bodies: dict[str, Any]) -> list[Any]:
    """The answers to the lines of a batch, in order of these, good and bad."""
    rows = [
        json.dumps({"custom_id": str(i), "method": "POST", "url": endpoint, "body": body})
        for i, body in enumerate(bodies)
    ]
    file = await client.files.create(file=("f.jsonl", "\n".join(rows).encode()), purpose="batch")
    batch = await client.batches.create(
        input_file_id=file.id, endpoint=endpoint, completion_window="24h"
    )
    async with asyncio.timeout(30):
        while batch.status != "completed":
            await asyncio.sleep(0.02)
            batch = await client.batches.retrieve(batch.id)
    told: dict[str, Any] = {}
    for name in filter(None, (batch.output_file_id, batch.error_file_id)):
        content = (await client.files.content(name)).content
        told |= {row["custom_id"]: row["response"] for row in map(json.loads, content.splitlines())}
    return [told[str(i)] for i in range(len(bodies))]


async def test_chats_are_answered_line_by_line(client: AsyncOpenAI) -> None:
    good, calls, bad = await results(
        client,
        "/v1/chat/completions",
        {"model": "echo", "messages": HELLO},
        {"model": "echo", "messages": [{"role": "user", "content": "!call:add:{}"}]},
        {"model": "echo", "messages": []},
    )
    made = openai.types.chat.ChatCompletion.model_validate(good["body"])
    assert (good["status_code"], made.choices[0].message.content) == (200, "the river")
    assert calls["body"]["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "add"
    assert bad["status_code"] == 400
    assert bad["body"]["error"]["param"] == "messages"


async def test_completions_are_answered_line_by_line(client: AsyncOpenAI) -> None:
    (good, bad) = await results(
        client,
        "/v1/completions",
        {"model": "echo", "prompt": ["a b", "c"], "echo": True},
        {"model": "echo", "prompt": "a", "stream": True},
    )
    made = openai.types.Completion.model_validate(good["body"])
    assert [choice.text for choice in made.choices] == ["a ba b", "cc"]
    assert made.usage is not None
    assert made.usage.prompt_tokens == 3
    assert bad["body"]["error"]["param"] == "stream"


async def test_responses_are_answered_line_by_line(client: AsyncOpenAI) -> None:
    good, bad, unknown = await results(
        client,
        "/v1/responses",
        {"model": "echo", "input": "the sea"},
        {"model": "echo", "input": "x", "previous_response_id": "resp_1"},
        {"model": "nobody", "input": "x"},
    )
    made = openai.types.responses.Response.model_validate(good["body"])
    assert (made.output_text, made.status) == ("the sea", "completed")
    assert good["body"]["store"] is False
    assert bad["body"]["error"]["param"] == "previous_response_id"
    assert unknown["status_code"] == 404


async def test_lines_that_fail_say_so_and_others_are_answered(client: AsyncOpenAI) -> None:
    failed, good = await results(
        client,
        "/v1/chat/completions",
        {"model": "echo", "messages": [{"role": "user", "content": "a !fail"}]},
        {"model": "echo", "messages": HELLO},
    )
    assert (failed["status_code"], good["status_code"]) == (500, 200)
    assert "told to fail" in failed["body"]["error"]["message"]


async def test_files_are_listed_in_the_order_asked_for(client: AsyncOpenAI) -> None:
    made = [await client.files.create(file=(name, b"x"), purpose="evals") for name in "abc"]
    names = [file.id for file in made]
    ways: list[tuple[Any, list[str]]] = [("asc", names), ("desc", names[::-1])]
    for order, expected in ways:
        found = [f.id async for f in client.files.list(purpose="evals", order=order, limit=2)]
        assert found == expected
    up: Any = "up"
    with pytest.raises(openai.BadRequestError) as caught:
        await client.files.list(order=up)
    assert caught.value.param == "order"
