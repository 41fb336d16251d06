"""The trained chat model through responses and tools, with the real ``openai`` client."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from live import Live, live
from openai import AsyncOpenAI
from repo import ROOT
from tiny.chat.prompts import GET_WEATHER

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOOL: Any = {"type": "function", **GET_WEATHER["function"]}
HOW: dict[str, Any] = {"model": "talker", "temperature": 0, "max_output_tokens": 120}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Live]:
    source = str(ROOT / "tests" / "data" / "chat")
    async with live(models={"talker": {"source": source, "dtype": "float32"}}) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(server: Live) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0) as opened:
        yield opened


async def test_question_is_answered(client: AsyncOpenAI) -> None:
    made = await client.responses.create(**HOW, input="What is the capital of France?")
    assert made.output_text == "The capital of France is Paris."


async def test_tool_is_called_and_its_result_told(client: AsyncOpenAI) -> None:
    first = await client.responses.create(
        **HOW, input="What is the weather in Paris?", tools=[TOOL]
    )
    (call,) = first.output
    assert call.type == "function_call"
    assert (call.name, json.loads(call.arguments)) == ("get_weather", {"city": "Paris"})
    result: Any = {
        "type": "function_call_output",
        "call_id": call.call_id,
        "output": '{"temperature": 21}',
    }
    second = await client.responses.create(
        **HOW, input=[result], previous_response_id=first.id, tools=[TOOL]
    )
    assert second.output_text == "It is 21 degrees in Paris."


async def test_thought_is_a_step_before_the_text(client: AsyncOpenAI) -> None:
    made = await client.responses.create(
        **HOW, input="What is the capital of France?", reasoning={"effort": "high"}
    )
    kinds = [item.type for item in made.output]
    assert kinds == ["reasoning", "message"]
    assert made.output_text == "The capital of France is Paris."
    assert made.usage is not None
    assert made.usage.output_tokens_details.reasoning_tokens > 0


async def test_conversation_of_kept_responses_is_that_of_messages(client: AsyncOpenAI) -> None:
    first = await client.responses.create(**HOW, input="Hello, Claude")
    asked = "What is the largest animal?"
    chained = await client.responses.create(**HOW, input=asked, previous_response_id=first.id)
    whole: Any = [
        {"role": "user", "content": "Hello, Claude"},
        {"role": "assistant", "content": first.output_text},
        {"role": "user", "content": asked},
    ]
    flat = await client.responses.create(**HOW, input=whole)
    chat = await client.chat.completions.create(
        model="talker", temperature=0, max_tokens=120, messages=whole
    )
    assert chained.output_text == flat.output_text == chat.choices[0].message.content
    assert chained.usage is not None
    assert flat.usage is not None
    assert chained.usage.input_tokens == flat.usage.input_tokens
