"""Forms and forced calls of tools over HTTP, from a model with random weights, by real clients."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import openai
import pytest
import pytest_asyncio
from live import Live, live

from stelae.client import AsyncClient
from stelae.types import Finish, NamedTool, Structure

pytestmark = pytest.mark.asyncio(loop_scope="module")

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"kind": {"enum": ["a", "b"]}, "n": {"type": "integer", "maximum": 99}},
    "required": ["kind", "n"],
    "additionalProperties": False,
}
RIDE: dict[str, Any] = {
    "type": "function",
    "function": {"name": "ride", "parameters": {**SCHEMA, "properties": {
        "kind": {"type": "str", "enum": ["plus", "x"]}, "n": {"type": "int", "minimum": 0,
                                                           "maximum": 99},
    }}},
}  # fmt: skip
SAID: Any = [{"role": "user", "content": "Hi"}]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(zoo: Path) -> AsyncIterator[Live]:
    async with live(models={"writer": {"source": str(zoo / "qwen3-chat")}}) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def there(server: Live) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(
        base_url=f"{server.url}/v1", api_key="any", max_retries=0
    ) as opened:
        yield opened


async def test_openai_s_client_gets_json_of_its_schema(there: openai.AsyncOpenAI) -> None:
    form: Any = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
    made = await there.chat.completions.create(model="writer", messages=SAID, response_format=form)
    assert made.choices[0].finish_reason == "stop"
    jsonschema.validate(json.loads(made.choices[0].message.content or ""), SCHEMA)


@pytest.mark.parametrize(
    "choice", ["required", {"type": "function", "function": {"name": "ride"}}], ids=["any", "named"]
)
async def test_openai_s_client_gets_the_call_it_requires(
    there: openai.AsyncOpenAI, choice: Any
) -> None:
    made = await there.chat.completions.create(
        model="writer", messages=SAID, tools=[RIDE], tool_choice=choice, parallel_tool_calls=False
    )
    (call,) = made.choices[0].message.tool_calls or []
    arguments = json.loads(call.function.arguments)  # type: ignore[union-attr]  # a function
    assert arguments["kind"] in ("plus", "x")
    assert isinstance(arguments["n"], int)
    assert made.choices[0].finish_reason in ("tool_calls", "stop")


async def test_anthropic_s_protocol_gets_the_call_it_requires(server: Live) -> None:
    tool = {"name": "ride", "input_schema": RIDE["function"]["parameters"]}
    asked = {
        "model": "writer", "max_tokens": 100, "messages": SAID, "tools": [tool],
        "tool_choice": {"type": "tool", "name": "ride", "disable_parallel_tool_use": True},
    }  # fmt: skip
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as http:
        made = (await http.post("/v1/messages", json=asked)).json()
    (call,) = [block for block in made["content"] if block["type"] == "tool_use"]
    assert set(call["input"]) == {"kind", "n"}


async def test_our_client_gets_forms_and_calls(server: Live) -> None:
    async with AsyncClient(server.url, model="writer", retries=0) as client:
        picked = await client.chat("Hi", structure=Structure(choice=["yes", "no"]))
        called = await client.chat(
            "Hi", tools=[RIDE], tool_choice=NamedTool(name="ride"), parallel_tool_calls=False
        )
    assert picked.text in ("yes", "no")
    assert picked.finishes == [Finish.STOP]
    assert [use.name for use in called.tool_calls] == ["ride"]
    assert called.text == ""


async def test_what_cannot_be_kept_to_is_a_400_that_names_it(there: openai.AsyncOpenAI) -> None:
    form: Any = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"not": {}}}}
    with pytest.raises(openai.BadRequestError, match="not") as caught:
        await there.chat.completions.create(model="writer", messages=SAID, response_format=form)
    assert caught.value.param == "response_format"


@pytest.mark.parametrize("levels", [100, 900, 100_000])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/stelae/v1/chat", "/stelae/v1/extract"])
async def test_deep_schemas_are_refused_at_every_door(server: Live, path: str, levels: int) -> None:
    deep = '{"items":' * levels + "{}" + "}" * levels
    openai_s = '"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":%s}}'
    native = '"structure":{"json_schema":%s}'
    fields = '"items":[{"text":"Hi"}],"output_schema":%s'
    said = '"messages":[{"role":"user","content":%s}],'
    body = {
        "/v1/chat/completions": said % '"Hi"' + openai_s % deep,
        "/stelae/v1/chat": said % '[{"type":"text","text":"Hi"}]' + native % deep,
        "/stelae/v1/extract": fields % deep,
    }[path]
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as http:
        made = await http.post(
            path,
            content='{"model":"writer",' + body + "}",
            headers={"Content-Type": "application/json"},
        )
        assert made.status_code == 400 or made.json()["errors"], made.text
        alive = await http.post(
            "/v1/chat/completions", json={"model": "writer", "messages": SAID, "max_tokens": 1}
        )
        assert alive.status_code == 200
