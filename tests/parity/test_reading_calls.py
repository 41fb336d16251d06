"""Calls and thought as the library's own server reads them."""

from __future__ import annotations

from typing import Any

import pytest
from fix_calls import WRITERS, found
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.cli.serving.utils import _RESPONSE_TEMPLATE_FALLBACKS
from transformers.utils.chat_parsing import parse_response

from stelae.engines.chat.formats.shapes import Tool
from stelae.engines.chat.thought import Thought

FAMILIES = {"hermes": "qwen3", "qwen-xml": "qwen3_5", "gemma4": "gemma4"}
"""Families of the library by our formats."""

THOUGHTS = {
    "hermes": ("<think>", "</think>"),
    "qwen-xml": ("<think>", "</think>"),
    "gemma4": ("<|channel>thought\n", "<channel|>"),
}
STARTS = {
    "hermes": "<|im_start|>assistant\n",
    "qwen-xml": "<|im_start|>assistant\n",
    "gemma4": "<|turn>model\n",
}
PROPERTIES = {
    "where": {"type": "string"},
    "seats": {"type": "integer"},
    "price": {"type": "number"},
    "shared": {"type": "boolean"},
    "stops": {"type": "array"},
    "rider": {"type": "object"},
    "note": {"type": ["string", "null"]},
}
NAMES = ("ride", "get_weather")
TOOLS = [Tool(name, {"type": "object", "properties": PROPERTIES}) for name in NAMES]
LETTERS = st.characters(codec="ascii", exclude_categories=["Cc"], exclude_characters='<>|{}[]\\"`')
WORDS = st.text(LETTERS, min_size=1, max_size=10).map(lambda text: f"a{text.strip()}z")
ARGUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "where": WORDS,
        "seats": st.integers(-99, 99),
        "price": st.sampled_from([0.5, -2.25, 1e3]),
        "shared": st.booleans(),
        "stops": st.lists(WORDS, max_size=2),
        "rider": st.fixed_dictionaries({"name": WORDS, "age": st.integers(0, 9)}),
        "note": st.none() | WORDS,
    },
)
USES = st.lists(st.tuples(st.sampled_from(NAMES), ARGUMENTS), max_size=2)


def library(name: str, text: str, *, opened: bool) -> dict[str, Any]:
    template = next(
        t for kinds, t in _RESPONSE_TEMPLATE_FALLBACKS.items() if FAMILIES[name] in kinds
    )
    prefix = STARTS[name] + (THOUGHTS[name][0] if opened else "")
    functions = [{"name": tool.name, "parameters": tool.schema} for tool in TOOLS]
    tools = [{"type": "function", "function": function} for function in functions]
    parsed: dict[str, Any] = parse_response(text, template, prefix=prefix, tools=tools)
    return parsed


@pytest.mark.parametrize("name", FAMILIES)
@settings(max_examples=60)
@given(uses=USES, thought=st.just("") | WORDS, said=st.just("") | WORDS, opened=st.booleans())
def test_texts_are_read_as_the_library_does(
    name: str, uses: list[tuple[str, dict[str, Any]]], thought: str, said: str, opened: bool
) -> None:
    marks = THOUGHTS[name]
    text = "\n".join(filter(None, [said, WRITERS[name](uses) if uses else ""]))
    opened = opened and thought != ""
    if thought:
        text = f"{'' if opened else marks[0]}{thought}{marks[1]}{text}"
    theirs = library(name, text, opened=opened)
    ours_thought, rest = Thought(marks, inside=opened).feed(text, over=True)
    ours_said, calls = found(name, [rest], TOOLS)
    assert ours_thought == theirs.get("thinking", "")
    assert ours_said == theirs.get("content", "")
    wanted = [call["function"] for call in theirs.get("tool_calls", ())]
    assert [(c.name, c.arguments) for c in calls] == [
        (each["name"], each["arguments"]) for each in wanted
    ]
