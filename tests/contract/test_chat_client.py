"""Chats with our own client: over HTTP, and with a model in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import fix_told
import numpy as np
import pytest
import pytest_asyncio
from fix_told import calling, heard, told
from live import Live, live, until
from PIL import Image

import stelae
from stelae.client import AsyncClient, Reply, tool_result
from stelae.errors import EngineFailed, InputTooLong, InvalidInput, UnsupportedTask
from stelae.types import (
    Delta,
    Finish,
    ImagePart,
    Message,
    NamedTool,
    Speaker,
    Structure,
    TextPart,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(zoo: Path) -> AsyncIterator[Live]:
    models = {
        "echo": {"source": str(zoo / "qwen3-chat"), "engine": "fake_text"},
        "told": fix_told.settings(zoo / "qwen3-chat"),
        "vectors": {"source": "embedded", "engine": "fake"},
    }
    with pytest.MonkeyPatch.context() as patch:
        fix_told.install(patch)
        async with live(models=models) as made:
            yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(server: Live) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(server.url, model="echo", retries=0) as opened:
        yield opened


async def test_reply_is_put_together(client: AsyncClient) -> None:
    reply = await client.chat("one two three", n=2)
    assert reply.texts == ["one two three"] * 2
    assert reply.finishes == [Finish.STOP] * 2
    assert str(reply) == reply.text
    assert reply.usage.prompt_tokens == 3


async def test_messages_are_values_or_dicts(client: AsyncClient) -> None:
    first = Message(role=Speaker.SYSTEM, content=[TextPart(text="be kind")])
    reply = await client.chat([first, {"role": "user", "content": "good day"}], max_tokens=1)
    assert reply.text == "good"
    assert reply.finishes == [Finish.LENGTH]
    again = await client.chat([reply.message, {"role": "user", "content": "and you"}])
    assert again.text == "and you"


async def test_pieces_come_one_by_one(client: AsyncClient) -> None:
    pieces = [piece async for piece in client.stream_chat("one two three")]
    assert [piece.text for piece in pieces if piece.text] == ["one", " two", " three"]
    assert pieces[-1].usage is not None


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


async def test_tools_are_called_and_answered(client: AsyncClient) -> None:
    thought = Delta(reasoning="so add")
    calls = [*calling("add", '{"a": 1, "b": 2}'), *calling("add", '{"a": 3, "b": 4}', 1)]
    asked = [{"role": "user", "content": told(thought, *calls)}]
    reply = await client.chat(asked, model="told", tools=[add], tool_choice="add", reasoning=True)
    asked_for = heard()[-1]
    assert asked_for.tools[0]["function"]["name"] == "add"
    assert (asked_for.tool_choice, asked_for.reasoning) == (NamedTool(name="add"), True)
    assert (reply.text, reply.reasoning, reply.finish) == ("", "so add", Finish.TOOL_CALLS)
    results = [tool_result(use, add(**use.arguments)) for use in reply.tool_calls]
    assert [result.text for result in results] == ["3", "7"]
    await client.chat([*asked, reply.message, *results], model="told", tools=[add])
    again = heard()[-1].messages
    assert again[1] == reply.message
    assert [message.tool_call_id for message in again[2:]] == ["c0", "c1"]


async def test_forms_pictures_and_the_rest_reach_the_model(client: AsyncClient) -> None:
    said = [{"role": "user", "content": ["what?", b"png"]}]
    await client.chat(
        said,
        model="told",
        structure={"type": "object"},
        parallel_tool_calls=False,
        template_options={"day": "Monday"},
    )
    asked_for = heard()[-1]
    assert asked_for.messages[0].content == [TextPart(text="what?"), ImagePart(image=b"png")]
    assert asked_for.structure == Structure(json_schema={"type": "object"})
    assert (asked_for.parallel_tool_calls, asked_for.template_options) == (False, {"day": "Monday"})


async def test_models_that_see_are_shown_pictures(zoo: Path, tmp_path: Path) -> None:
    picture = Image.new("RGB", (40, 30), (200, 30, 30))
    picture.save(tmp_path / "red.png")
    with stelae.local(str(zoo / "qwen2-vl-chat"), dtype="float32", threads=1) as here:
        blind = here.chat("what?", max_tokens=4, temperature=0.0)
        said = [
            [{"role": "user", "content": [form, "what?"]}]
            for form in (picture, tmp_path / "red.png", np.asarray(picture))
        ]
        seen = [here.chat(messages, max_tokens=4, temperature=0.0) for messages in said]
    assert all(reply.usage.prompt_tokens > blind.usage.prompt_tokens for reply in seen)
    assert len({tuple(reply.tokens[0]) for reply in seen}) == 1


async def test_pieces_make_a_reply(client: AsyncClient) -> None:
    pieces = [piece async for piece in client.stream_chat("one two", n=2)]
    assert Reply.of(pieces, 2).texts == ["one two"] * 2


async def test_leaving_ends_the_work(client: AsyncClient, server: Live) -> None:
    async with aclosing(client.stream_chat("!more")) as pieces:
        await anext(pieces)
    replica = server.house.fleet._deployments.replica("echo")
    assert replica is not None
    await until(lambda: replica.in_flight == 0, seconds=20)


async def test_errors_are_those_of_the_server(client: AsyncClient) -> None:
    with pytest.raises(EngineFailed, match="told to fail"):
        await client.chat("one two !fail")
    with pytest.raises(InputTooLong):
        await client.chat("word " * 600)
    with pytest.raises(UnsupportedTask):
        await client.chat("hello", model="vectors")
    with pytest.raises(InvalidInput, match="temperature"):
        await client.chat("hello", temperature=float("nan"))
    with pytest.raises(InvalidInput, match="wizard"):
        await client.chat([{"role": "wizard", "content": "x"}])


async def test_model_in_this_process_says_what_a_served_one_does(zoo: Path) -> None:
    folder = str(zoo / "llama-chat")
    models = {"tiny": {"source": folder, "dtype": "float32"}}
    async with live(models=models) as server, AsyncClient(server.url, model="tiny") as there:
        served = await there.chat("the sea", max_tokens=8, temperature=0.0)
    with stelae.local(folder, dtype="float32", threads=1) as here:
        own = here.chat("the sea", max_tokens=8, temperature=0.0)
        pieces = list(here.stream_chat("the sea", max_tokens=8, temperature=0.0))
    assert own.tokens == served.tokens
    assert "".join(piece.text for piece in pieces) == own.text
