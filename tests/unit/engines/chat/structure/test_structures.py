"""The form of a text, from all that a call asks for and from where its conversation ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from fix_guided import size, tokenizer, view

from stelae.catalog.spec import Generation
from stelae.engines.chat.structure.structures import Structures
from stelae.types import ChatCall, Message, NamedTool, Speaker, Structure, TextPart

GENERATION = Generation(template="", ends=(), tools="hermes", reasoning=("<think>", "</think>"))
TOOL = {"type": "function", "function": {"name": "look", "parameters": {}}}
YES = Structure(choice=["yes"])


def structures() -> Structures:
    return Structures(GENERATION, decode, view, size())


def decode(ids: Sequence[int]) -> str:
    return str(tokenizer().decode(list(ids), skip_special_tokens=False))


def call(**asked: Any) -> ChatCall:
    said = Message(role=Speaker.USER, content=[TextPart(text="Hi")])
    return ChatCall(model="m", **{"messages": [said], **asked})


async def firsts(asked: ChatCall, written: str) -> set[str] | None:
    """What the text may begin with; ``None`` if with anything."""
    (guide,) = await structures().guides(asked, tokenizer().encode(written).ids)
    if guide is None:
        return None
    allowed = guide.allowed().tolist()
    return {decode([i]) for i in allowed} if len(allowed) < 20 else {"any"}


@pytest.mark.parametrize(
    ("asked", "written", "expected"),
    [
        (call(), "x", None),
        (call(tools=[TOOL]), "x", None),
        (call(tools=[TOOL], tool_choice="none"), "x", None),
        (call(structure=YES), "x", {"y", "<think>"}),
        (call(structure=YES, reasoning=True), "x", {"y", "<think>"}),
        (call(structure=YES, reasoning=False), "x", {"y"}),
        (call(structure=YES), "x<think>\n", {"any"}),
        (call(structure=YES, reasoning=False), "x<think>\n", {"any"}),
        (call(structure=YES), "x<think>\n\n</think>\n\n", {"y"}),
        (call(structure=YES, messages=[], prompt="x"), "x", {"y"}),
        (call(tools=[TOOL], tool_choice="required"), "x", {"<tool_call>", "<think>"}),
        (call(tools=[TOOL], tool_choice=NamedTool(name="look"), reasoning=False), "x",
         {"<tool_call>"}),
        (call(tools=[TOOL], structure=YES, reasoning=False), "x", {"y", "<tool_call>"}),
        (call(tools=[TOOL], structure=YES, tool_choice="none", reasoning=False), "x", {"y"}),
        (call(tools=[TOOL], structure=YES, tool_choice="required", reasoning=False), "x",
         {"<tool_call>"}),
    ],
)  # fmt: skip
async def test_text_begins_as_the_call_asks(
    asked: ChatCall, written: str, expected: set[str] | None
) -> None:
    assert await firsts(asked, written) == expected
