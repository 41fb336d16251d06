"""Chat templates: written as the library writes them, and bounded whatever they try."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from transformers.utils.chat_template_utils import render_jinja_template

from stelae.engines.chat.template import ChatTemplate
from stelae.errors import InvalidInput, UnsupportedCheckpoint
from stelae.types import ChatCall, Message, Speaker, TextPart, ToolUse

TOOLS: list[dict[str, Any]] = [
    {"type": "function", "function": {"name": "add", "parameters": {"a": [1, 2.5, None, True]}}}
]

SOUND = {
    "chatml": "{% for m in messages %}<|{{ m.role }}|>{{ m['content'] | trim }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}",
    "namespace": "{% set ns = namespace(n=0) %}{% for m in messages %}"
    "{% set ns.n = ns.n + 1 %}{{ loop.index0 ~ ':' ~ ns.n ~ (',' if not loop.last else '.') }}"
    "{% endfor %}",
    "macro": "{% macro say(m) %}[{{ m.role }}] {{ m.content }}{% endmacro %}"
    "{% for m in messages[::-1] %}{{ say(m) }}{% if m.content == 'x' %}{% break %}{% endif %}"
    "{% endfor %}",
    "tools": "{% if tools %}{% for t in tools %}{{ t | tojson }}{{ t.function.name.upper() }}"
    "{% endfor %}{{ tools | tojson(indent=2) }}{% endif %}{{ bos_token }}",
    "loops": "{% for i in range(3) %}{{ i * 2 }}{% for k, v in {'a': 1}.items() %}{{ k }}{{ v }}"
    "{% endfor %}{% endfor %}{{ messages | map(attribute='role') | join(', ') }}",
    "sums of lists": "{% set ns = namespace(l=[]) %}{% for m in messages[1:] %}"
    "{% set ns.l = ns.l + [{'r': m.role, 'c': m.content[1:4]}] %}{% endfor %}"
    "{% for m in ns.l %}{{ m.r ~ m.c }}{% endfor %}{{ '{}-{:02d}'.format('a', 7) }}"
    "{{ messages | join('; ', attribute='content') }}{{ (1, 'b') }}",
    "text": "{{ 'a<think>b'.split('<think>')[-1].lstrip() + 'x' * 3 }}",
}

GREEDY = {
    "endless loops": "{% for i in range(4000) %}{% for j in range(4000) %}{% endfor %}{% endfor %}",
    "doubling": "{% set ns = namespace(s='xxxxxxxx') %}{% for i in range(60) %}"
    "{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
    "sums": "{% set ns = namespace(s='xxxxxxxx') %}{% for i in range(60) %}"
    "{% set ns.s = ns.s + ns.s %}{% endfor %}",
    "product": "{{ 'x' * 10**9 }}",
    "large product": "{{ 'x' * 100000000 }}",
    "width": "{{ 'x'.ljust(1000000000) }}",
    "format": "{{ '%1000000000d' % 1 }}",
    "centre": "{{ 'x' | center(1000000000) }}",
    "replace": "{% set a = 'x' * 100000 %}{{ a | replace('x', a) }}",
    "replace method": "{% set a = 'x' * 100000 %}{{ a.replace('x', a) }}",
    "lists in lists": "{% set a = ['x'] * 4000 %}{% set b = [a] * 4000 %}{{ [b] * 4000 }}",
    "doubled lists": "{% set ns = namespace(a=['x']) %}{% for i in range(40) %}"
    "{% set ns.a = [ns.a, ns.a] %}{% endfor %}{{ ns.a | tojson }}",
    "doubled dicts": "{% set ns = namespace(a=('x',)) %}{% for i in range(40) %}"
    "{% set ns.a = {'a': ns.a, 'b': ns.a} %}{% endfor %}{{ ns.a }}",
    "hoard": "{% set ns = namespace(l=[]) %}{% for i in range(4000) %}"
    "{% set ns.l = ns.l + ['x' * 8000000] %}{% endfor %}",
    "hoard of parts": "{% set ns = namespace(l=[], s='x' * 8000000) %}{% for i in range(4000) %}"
    "{% set ns.l = ns.l + [ns.s[1:]] %}{% endfor %}",
    "macro": "{% set s = 'x' * 8000000 %}{% macro f() %}{% for i in range(4000) %}{{ s }}"
    "{% endfor %}{% endmacro %}{{ f() | length }}",
    "join": "{{ (['a'] * 4096) | join('x' * 8000000) }}",
    "power": "{% set ns = namespace(a=9) %}{% for i in range(99) %}{% set ns.a = ns.a * ns.a %}"
    "{% endfor %}",
    "width in a form": "{{ '{:>1000000000}'.format(1) }}",
    "width of a form": "{{ '{:{w}}'.format(1, w='1000000000') }}",
    "tabs": "{{ ('\\t' * 8000000).expandtabs(4096) }}",
    "translate": "{{ ('a' * 4000000).translate({97: 'b' * 4000}) }}",
    "recursion": "{% macro f(n) %}{{ f(n) }}{{ f(n) }}{% endmacro %}{{ f(1) }}",
    "insides": "{{ messages.__class__.__mro__ }}",
    "globals": "{{ raise_exception.__globals__.keys() }}",
    "write": "{{ messages.append(1) }}",
}


def call(*texts: str, tools: bool = False) -> ChatCall:
    said = [Message(role=Speaker.USER, content=[TextPart(text=text)]) for text in texts]
    return ChatCall(model="m", messages=said, tools=TOOLS if tools else [])


@pytest.mark.parametrize("name", SOUND)
def test_conversations_are_written_as_the_library_does(name: str) -> None:
    knows = "tools" in SOUND[name]
    asked = call("hello", " x ", "größer <b>", tools=knows)
    plain = [{"role": "user", "content": message.text} for message in asked.messages]
    settings = {"chat_template": SOUND[name], "add_generation_prompt": True, "bos_token": "<s>"}
    wanted, _ = render_jinja_template([plain], tools=TOOLS if knows else None, **settings)
    assert ChatTemplate(SOUND[name], {"bos_token": "<s>"}).write(asked) == wanted[0]


@pytest.mark.parametrize("name", GREEDY)
def test_greedy_templates_are_refused_soon(name: str) -> None:
    with pytest.raises((InvalidInput, UnsupportedCheckpoint)):
        ChatTemplate(GREEDY[name], {}).write(call("hello"))


def test_template_refuses_a_conversation_in_its_own_words() -> None:
    template = ChatTemplate("{{ raise_exception('roles must alternate') }}", {})
    with pytest.raises(InvalidInput, match="roles must alternate"):
        template.write(call("hello"))


def test_developers_are_the_system_and_tools_are_told() -> None:
    text = (
        "{% for m in messages %}{{ m.role }}:{{ m.tool_call_id }}"
        "{% for t in m.tool_calls %}{{ t.function.name }}{{ t.function.arguments.a }}{% endfor %};"
        "{% endfor %}"
    )
    messages = [
        Message(role=Speaker.DEVELOPER, content=[TextPart(text="be kind")]),
        Message(
            role=Speaker.ASSISTANT, tool_calls=[ToolUse(id="1", name="add", arguments={"a": 7})]
        ),
        Message(role=Speaker.TOOL, content=[TextPart(text="8")], tool_call_id="1"),
    ]
    made = ChatTemplate(text, {}).write(ChatCall(model="m", messages=messages))
    assert made == "system:;assistant:add7;tool:1;"


def test_no_tools_are_told_if_none_may_be_called() -> None:
    asked = ChatCall(model="m", messages=call("x").messages, tools=TOOLS, tool_choice="none")
    assert ChatTemplate("{{ tools is none }}", {}).write(asked) == "True"


def test_broken_template_is_refused_when_loaded() -> None:
    with pytest.raises(UnsupportedCheckpoint, match="not understood"):
        ChatTemplate("{% for %}", {})


def test_thought_can_be_asked_for_where_the_template_leaves_the_choice() -> None:
    template = ChatTemplate("{{ 'think' if enable_thinking else 'speak' }} {{ tone }}", {})
    asked = replace(call("x"), reasoning=True, template_options={"tone": "low"})
    assert template.write(asked) == "think low"
    assert template.write(replace(asked, reasoning=False)) == "speak low"


def test_the_last_message_can_be_gone_on_with() -> None:
    text = "{% for m in messages %}<{{ m.role }}>{{ m.content | trim }}</>\n{% endfor %}"
    said = [
        Message(role=Speaker.USER, content=[TextPart(text="Hi")]),
        Message(role=Speaker.ASSISTANT, content=[TextPart(text="Well, ")]),
    ]
    asked = ChatCall(model="m", messages=said, continues=True)
    assert ChatTemplate(text, {}).write(asked) == "<user>Hi</>\n<assistant>Well,"
    with pytest.raises(InvalidInput, match="cannot be gone on with"):
        ChatTemplate("{{ messages[0].content }}", {}).write(asked)


@pytest.mark.parametrize("begun", ["<", "im", "end|>", "\n", "", "  two", "Hi", "\ue000 x"])
@pytest.mark.parametrize("trimmed", ["", " | trim"])
def test_beginnings_that_stand_in_the_template_too_are_gone_on_with(
    begun: str, trimmed: str
) -> None:
    text = (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content"
        + trimmed
        + " }}<|im_end|>\n{% endfor %}"
    )
    said = [
        Message(role=Speaker.USER, content=[TextPart(text="Hi")]),
        Message(role=Speaker.ASSISTANT, content=[TextPart(text=begun)]),
    ]
    made = ChatTemplate(text, {}).write(ChatCall(model="m", messages=said, continues=True))
    shown = begun.strip() if trimmed else begun.rstrip()
    assert made == f"<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n{shown}"
