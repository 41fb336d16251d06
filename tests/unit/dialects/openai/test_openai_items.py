"""The steps of a response, and what they are as messages."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from stelae.dialects.openai.responses.items import messages
from stelae.dialects.openai.responses.kept import told
from stelae.dialects.openai.responses.schema import InputItem
from stelae.errors import InvalidInput
from stelae.types import ImagePart, Message, ReasoningPart, Speaker, TextPart, ToolUse

PNG = b"\x89PNG"


async def see(address: str, place: str) -> bytes:
    assert place.endswith(".image_url")
    return address.encode()


def read(
    *given: dict[str, Any], before: tuple[Any, ...] = (), instructions: str = ""
) -> list[Message]:
    steps = msgspec.convert(given, list[InputItem])
    earlier = msgspec.convert(before, list[InputItem])
    return asyncio.run(messages(earlier, steps, instructions, see))


def call(name: str) -> dict[str, Any]:
    return {"type": "function_call", "call_id": f"c-{name}", "name": name, "arguments": "{}"}


def thought(text: str) -> dict[str, Any]:
    return {"type": "reasoning", "content": [{"type": "reasoning_text", "text": text}]}


def said(text: str) -> dict[str, Any]:
    return {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": text}],
    }


def test_steps_of_one_turn_are_one_message() -> None:
    (message,) = read(thought("hm"), said("I look."), call("a"), call("b"))
    assert message.role is Speaker.ASSISTANT
    assert message.content == [ReasoningPart(text="hm"), TextPart(text="I look.")]
    assert message.tool_calls == [ToolUse(id="c-a", name="a"), ToolUse(id="c-b", name="b")]


def test_results_end_a_turn() -> None:
    result = {"type": "function_call_output", "call_id": "c-a", "output": "42"}
    first, answer, second = read(call("a"), result, said("It is 42."))
    assert first.tool_calls
    assert (answer.role, answer.tool_call_id, answer.text) == (Speaker.TOOL, "c-a", "42")
    assert second.text == "It is 42."


def test_thought_after_words_begins_a_turn() -> None:
    made = read(said("one"), thought("hm"), said("two"))
    assert [(message.reasoning, message.text) for message in made] == [("", "one"), ("hm", "two")]


def test_thought_without_words_is_left_out() -> None:
    made = read(thought("hm"), {"role": "user", "content": "x"}, {"type": "reasoning"})
    assert [message.role for message in made] == [Speaker.USER]


def test_instructions_come_first_then_what_was_before() -> None:
    earlier = ({"role": "user", "content": "a"}, said("b"))
    made = read({"role": "user", "content": "c"}, before=earlier, instructions="s")
    assert [(m.role.value, m.text) for m in made] == [
        ("system", "s"), ("user", "a"), ("assistant", "b"), ("user", "c"),
    ]  # fmt: skip


def test_what_leads_a_conversation_is_one_message() -> None:
    steps = [{"role": role, "content": role} for role in ("developer", "system", "user")]
    late = {"role": "developer", "content": "late"}
    made = read(*steps, late, instructions="first")
    assert [(m.role.value, m.text) for m in made] == [
        ("system", "first\n\ndeveloper\n\nsystem"), ("user", "user"), ("developer", "late"),
    ]  # fmt: skip


def test_pictures_are_parts() -> None:
    parts = [{"type": "input_text", "text": "?"}, {"type": "input_image", "image_url": "here"}]
    (message,) = read({"role": "user", "content": parts})
    assert message.content == [TextPart(text="?"), ImagePart(image=b"here")]


@pytest.mark.parametrize(
    ("step", "place"),
    [
        ({"type": "function_call", "name": "f"}, "input[1].call_id"),
        ({"type": "function_call", "call_id": "c"}, "input[1].name"),
        ({"type": "function_call_output", "output": "x"}, "input[1].call_id"),
        ({"type": "function_call_output", "call_id": "c"}, "input[1].output"),
        ({"role": "user"}, "input[1].content"),
        ({"content": "x"}, "input[1].role"),
        ({"role": "user", "content": [{"type": "input_text"}]}, "input[1].content[0].text"),
        ({"type": "web_search_call"}, "input[1]"),
    ],
)
def test_steps_that_are_not_whole_are_refused_with_their_place(
    step: dict[str, Any], place: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        read({"role": "user", "content": "x"}, step)
    assert caught.value.param == place


def test_calls_that_were_cut_off_can_be_told_again() -> None:
    cut = {"type": "function_call", "call_id": "c", "name": "f", "arguments": '{"a": "lo'}
    (message,) = read(cut)
    assert message.tool_calls == [ToolUse(id="c", name="f", arguments={"raw": '{"a": "lo'})]


def test_steps_told_again_mean_the_same() -> None:
    steps = [{"role": "user", "content": "x"}, said("y"), call("a"), thought("z"), said("w")]
    again = [told(item) for item in msgspec.convert(steps, list[InputItem])]
    assert read(*again) == read(*steps)
    assert len({step["id"] for step in again}) == len(steps)
