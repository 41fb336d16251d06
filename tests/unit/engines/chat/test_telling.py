"""Conversations with tools, through templates that know little of them."""

from __future__ import annotations

from typing import Any

import pytest

from stelae.engines.chat.formats.format import Format
from stelae.engines.chat.formats.table import FORMATS
from stelae.engines.chat.template import ChatTemplate
from stelae.errors import InvalidInput
from stelae.types import ChatCall, Message, Speaker, TextPart, ToolUse

TOOLS: list[dict[str, Any]] = [
    {"type": "function", "function": {"name": "ride", "description": "Book a ride."}}
]
SHOWN = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}"
STRICT = (
    "{% for m in messages %}"
    "{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    "{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('turns') }}{% endif %}"
    "[{{ m.role }}] {{ m.content }}\n{% endfor %}"
)


def said(role: Speaker, text: str, **more: Any) -> Message:
    return Message(role=role, content=[TextPart(text=text)] if text else [], **more)


USE = ToolUse(id="call_1", name="ride", arguments={"to": "A"})
TURNS = [
    said(Speaker.USER, "a ride"),
    said(Speaker.ASSISTANT, "", tool_calls=[USE, USE]),
    said(Speaker.TOOL, "booked", tool_call_id="call_1"),
    said(Speaker.TOOL, "again", tool_call_id="call_1"),
]


def written(template: str, messages: list[Message], format: Format = FORMATS["hermes"]) -> str:
    call = ChatCall(model="m", messages=messages, tools=TOOLS)
    return ChatTemplate(template, {}, format).write(call)


def test_a_template_without_tools_is_told_of_them() -> None:
    text = written(SHOWN, [said(Speaker.USER, "hi")])
    assert text.startswith("[system] ")
    assert '{"name":"ride","description":"Book a ride."}' in text
    assert '<tool_call>\n{"name": "NAME", "arguments": {"ARGUMENT": "VALUE"}}\n</tool_call>' in text
    assert text.endswith("[user] hi\n")


def test_words_of_the_system_stay_before_the_tools() -> None:
    text = written(SHOWN, [said(Speaker.SYSTEM, "Be kind."), said(Speaker.USER, "hi")])
    assert text.startswith("[system] Be kind.\n\nYou can call tools.")
    assert text.count("[system]") == 1


def test_where_the_system_has_no_place_the_first_message_tells() -> None:
    text = written(STRICT, [said(Speaker.USER, "hi")])
    assert text.startswith("[user] You can call tools.")
    assert text.endswith("\n\nhi\n")


def test_calls_and_results_are_put_in_words() -> None:
    text = written(STRICT, TURNS)
    call = '<tool_call>\n{"name": "ride", "arguments": {"to": "A"}}\n</tool_call>'
    response = "<tool_response>\n{}\n</tool_response>"
    both = f"{response.format('booked')}\n{response.format('again')}"
    assert f"[assistant] {call}\n{call}\n[user] {both}\n" in text


@pytest.mark.parametrize("name", ["qwen-xml", "gemma", "deepseek-v3.1"])
def test_the_models_own_format_is_shown(name: str) -> None:
    text = written(SHOWN, [said(Speaker.USER, "hi")], FORMATS[name])
    assert any(mark in text for mark in FORMATS[name].marks or {"```tool_code"})


def test_a_template_that_shows_calls_shows_them_itself() -> None:
    shows = (
        "{% for m in messages %}[{{ m.role }}] {{ m.content }}"
        "{% for c in m.tool_calls or [] %}!{{ c.function.name }}{% endfor %}.{% endfor %}"
    )
    text = written(shows, TURNS)
    assert text.startswith("[system] You can call tools.")
    assert text.endswith("[user] a ride.[assistant] !ride!ride.[tool] booked.[tool] again.")


def test_a_template_that_knows_tools_gets_them() -> None:
    text = written("{{ tools[0].function.name }}" + SHOWN, TURNS[:1])
    assert text == "ride[user] a ride\n"


def test_nothing_is_told_where_no_tool_may_be_called() -> None:
    call = ChatCall(model="m", messages=TURNS[:1], tools=TOOLS, tool_choice="none")
    assert ChatTemplate(SHOWN, {}).write(call) == "[user] a ride\n"


def test_arguments_are_texts_where_a_template_wants_texts() -> None:
    shows = "{{ tools and '' }}{% for m in messages %}{% for c in m.tool_calls or [] %}"
    joined = shows + "{{ c.function.name + c.function.arguments }}{% endfor %}{% endfor %}"
    assert written(joined, TURNS) == 'ride{"to": "A"}' * 2


def test_names_of_calls_are_short_where_a_template_wants_that() -> None:
    template = (
        "{{ tools and '' }}{% for m in messages %}{% for c in m.tool_calls or [] %}"
        "{% if c.id | length != 9 %}{{ raise_exception('nine') }}{% endif %}{{ c.id }}"
        "{% endfor %}{{ m.tool_call_id if m.role == 'tool' }}{% endfor %}"
    )
    text = written(template, TURNS)
    assert len(text) == 4 * 9
    assert text == text[:9] * 4
    assert text.isalnum()


def test_a_type_error_that_is_not_about_arguments_is_refused() -> None:
    with pytest.raises(InvalidInput):
        written("{{ tools and '' }}{{ messages[0].content + 1 }}", TURNS)
