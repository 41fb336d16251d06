"""What models write that is nearly a call."""

from __future__ import annotations

from typing import Any

import pytest
from fix_calls import BEGIN, CLOSE, END, OPEN, SEP, found

from stelae.engines.chat.formats.calls import Calls
from stelae.engines.chat.formats.shapes import Tool
from stelae.engines.chat.formats.table import FORMATS
from stelae.engines.chat.formats.tape import HELD
from stelae.engines.chat.thought import SPACE

RIDE = Tool("ride", {"type": "object", "properties": {"n": {"type": "integer"}}})

NEARLY: dict[str, tuple[str, str, dict[str, Any]]] = {
    "without end": ("hermes", '<tool_call>{"name": "ride", "arguments": {"n": 1}}', {"n": 1}),
    "keys turned": ("hermes", '<tool_call>{"arguments": {"n": 1}, "name": "ride"}</tool_call>',
                    {"n": 1}),
    "arguments as text": (
        "hermes", '<tool_call>{"name": "ride", "arguments": "{\\"n\\": 1}"}</tool_call>', {"n": 1},
    ),
    "no arguments": ("hermes", '<tool_call>\n{"name": "ride"}\n</tool_call>', {}),
    "null arguments": ("hermes", '<tool_call>{"name":"ride","arguments":null}</tool_call>', {}),
    "in a function": (
        "json", '{"type": "function", "function": {"name": "ride", "arguments": {"n": 1}}}',
        {"n": 1},
    ),
    "foreign white space": (
        "hermes",
        '<tool_call>{"name":\u2003"ride","arguments":{\u00a0"n":\u3000"\u00a0"\x0b}}</tool_call>',
        {"n": "\u00a0"},
    ),
    "in a block of code": ("json", '```json\n[{"name": "ride", "arguments": {"n": 1}}]\n```',
                           {"n": 1}),
    "type first": ("llama", '{"type": "function", "name": "ride", "parameters": {"n": 1}}',
                   {"n": 1}),
    "behind the tag": ("llama", '<|python_tag|>{"name": "ride", "parameters": {"n": 1}}',
                       {"n": 1}),
    "line break in a text": (
        "hermes", '<tool_call>{"name": "ride", "arguments": {"n": "a\nb"}}</tool_call>',
        {"n": "a\nb"},
    ),
    "needless backslash": (
        "hermes", r'<tool_call>{"name": "ride", "arguments": {"n": "\d+\."}}</tool_call>',
        {"n": r"\d+\."},
    ),
    "pair of surrogates": (
        "hermes", r'<tool_call>{"name": "ride", "arguments": {"n": "\ud83d\ude00"}}</tool_call>',
        {"n": "\U0001f600"},
    ),
    "half of a pair": (
        "hermes", r'<tool_call>{"name": "ride", "arguments": {"n": "\ud83d!"}}</tool_call>',
        {"n": "\ufffd!"},
    ),
    "braces in a text": (
        "hermes", '<tool_call>{"name":"ride","arguments":{"n":"}</tool_call>{\\""}}</tool_call>',
        {"n": '}</tool_call>{"'},
    ),
    "without outer tag": (
        "qwen-xml", "<function=ride>\n<parameter=n>\n1\n</parameter>\n</function>", {"n": 1},
    ),
    "value of several lines": (
        "qwen-xml",
        "<tool_call>\n<function=ride>\n<parameter=x>\na\n\n<b>\n</parameter>\n</function>\n"
        "</tool_call>",
        {"x": "a\n\n<b>"},
    ),
    "no parameters": ("qwen-xml", "<tool_call>\n<function=ride>\n</function>\n</tool_call>", {}),
    "no keys": ("glm-4.5", "<tool_call>ride</tool_call>", {}),
    "with an id": ("mistral-args", '[TOOL_CALLS]ride[CALL_ID]a1b2c3d4e[ARGS]{"n": 1}', {"n": 1}),
    "without args mark": ("mistral-args", '[TOOL_CALLS]ride{"n": 1}', {"n": 1}),
    "id behind arguments": (
        "mistral", '[TOOL_CALLS] [{"name": "ride", "arguments": {"n": 1}, "id": "a1b2c3d4e"}]',
        {"n": 1},
    ),
    "no begin of all": (
        "deepseek-v3", f'{OPEN}function{SEP}ride\n```json\n{{"n": 1}}\n```{CLOSE}{END}', {"n": 1},
    ),
    "no end at all": ("deepseek-v3.1", f'{BEGIN}{OPEN}ride{SEP}{{"n": 1}}', {"n": 1}),
    "printed": ("gemma", "```tool_code\nprint(ride(n=1))\n```", {"n": 1}),
    "python's words": ("llama-pythonic", "[ride(n=None, m=True, o=(1, 'x'))]",
                       {"n": None, "m": True, "o": [1, "x"]}),
    "python's texts": ("llama-pythonic", "[ride(a='''x'y''', b=\"\\u00e9\\n\", c='')]",
                       {"a": "x'y", "b": "é\n", "c": ""}),
    "comma at the end": ("llama-pythonic", "[ride(n=[1, 2,],)]", {"n": [1, 2]}),
    "one object": ("granite", '<|tool_call|>{"name": "ride", "arguments": {"n": 1}}', {"n": 1}),
    "closed list": ("granite",
                    '<|tool_call|>[{"name": "ride", "arguments": {"n": 1}}]<|/tool_call|>',
                    {"n": 1}),
}  # fmt: skip


@pytest.mark.parametrize("case", NEARLY)
def test_slips_that_models_make_are_understood(case: str) -> None:
    name, text, arguments = NEARLY[case]
    said, (call,) = found(name, list(text), [RIDE])
    assert (said, call.name, call.arguments, call.whole) == ("", "ride", arguments, True)


NONE = {
    "no name": ("hermes", '<tool_call>{"arguments": {"n": 1}}</tool_call>'),
    "name is a number": ("hermes", '<tool_call>{"name": 1, "arguments": {}}</tool_call>'),
    "arguments are a list": ("hermes", '<tool_call>{"name": "ride", "arguments": [1]}</tool_call>'),
    "two names": ("hermes", '<tool_call>{"name": "a", "name": "b"}</tool_call>'),
    "words": ("hermes", "Use <tool_call> to call a tool."),
    "cut in the mark": ("hermes", "so <tool_c"),
    "cut before the arguments": ("hermes", '<tool_call>{"name": "ride"'),
    "not a tool": ("llama", '{"name": "Ada", "parameters": {"age": 36}}'),
    "data": ("json", '{"n": [1, 2, 3]}'),
    "a list": ("llama-pythonic", "[1, 2] is a list"),
    "code": ("gemma", "```tool_code\nx = 1\n```"),
    "a place": ("glm-4", "ridge\n{}"),
    "mark alone": ("mistral", "[TOOL_CALLS] none"),
}


@pytest.mark.parametrize("case", NONE)
def test_what_is_no_call_is_text_word_for_word(case: str) -> None:
    name, text = NONE[case]
    assert found(name, list(text), [RIDE]) == (text, [])


@pytest.mark.parametrize(
    ("name", "begin", "end"),
    [
        ("qwen-xml", "<function=", ">\n</function>"),
        ("mistral-args", "[TOOL_CALLS]", "[ARGS]{}"),
        ("deepseek-v3.1", f"{BEGIN}{OPEN}", f"{SEP}{{}}{CLOSE}"),
    ],
)
def test_names_are_not_looked_for_far_away(name: str, begin: str, end: str) -> None:
    text = begin + "n" * 300 + end
    assert found(name, [text]) == (text, [])


def test_a_call_behind_a_broken_one_is_found() -> None:
    text = '<tool_call>{"name"<tool_call>{"name": "ride", "arguments": {}}</tool_call>'
    said, (call,) = found("hermes", [text], [RIDE])
    assert (said, call.name, call.whole) == ('<tool_call>{"name"', "ride", True)


def test_a_call_that_breaks_keeps_valid_beginnings_and_the_rest_as_text() -> None:
    text = '<tool_call>{"name": "ride", "arguments": {"n": 1, oops}} and more'
    said, (call,) = found("hermes", list(text), [RIDE])
    assert ("".join(call.pieces), call.whole) == ('{"n": 1, ', False)
    assert said == "oops}} and more"


def test_the_second_of_a_list_may_be_broken() -> None:
    text = '[TOOL_CALLS][{"name": "ride", "arguments": {}}, {"nome": 1}]'
    said, (call,) = found("mistral", list(text), [RIDE])
    assert (said, call.whole) == (', {"nome": 1}]', True)


@pytest.mark.parametrize("name", ["llama", "json"])
def test_data_is_not_held_where_calls_have_no_sign(name: str) -> None:
    calls = Calls(FORMATS[name], [RIDE])
    assert "".join(map(str, calls.feed('{"cities": [', over=False))) == '{"cities": ['


@pytest.mark.parametrize("opening", ['{"', '{"name": "', '{"x": ' + "[" * 400 + '"'])
def test_what_might_become_a_call_is_held_in_bounds(opening: str) -> None:
    text = "<tool_call>" + opening + "x" * (2 * HELD)
    assert found("hermes", [text[i : i + 999] for i in range(0, len(text), 999)]) == (text, [])


def test_deep_arguments_end_the_call() -> None:
    text = '<tool_call>{"name": "ride", "arguments": {"n": ' + "[" * 100_000
    said, (call,) = found("hermes", [text], [RIDE])
    assert not call.whole
    assert len("".join(call.pieces)) + len(said) == text.count("[") + len('{"n": ')


@pytest.mark.parametrize("name", ["hermes", "llama", "json"])
def test_functions_within_functions_are_no_call(name: str) -> None:
    mark = "<tool_call>" if name == "hermes" else ""
    text = mark + '{"function": ' * 5000
    assert found(name, [text], [RIDE]) == (text, [])


@pytest.mark.parametrize("name", sorted(FORMATS))
@pytest.mark.parametrize("size", [1, 999, 10**6])
def test_white_space_is_held_in_bounds(name: str, size: int) -> None:
    calls = Calls(FORMATS[name], [RIDE])
    text = "a" + " " * 20_000
    said = [
        "".join(map(str, calls.feed(text[i : i + size], over=False)))
        for i in range(0, len(text), size)
    ]
    assert len(text) - len("".join(said)) < SPACE
    assert "".join([*said, *map(str, calls.feed("", over=True))]) == text


@pytest.mark.parametrize("size", [1, 7, 10**6])
def test_much_white_space_before_a_call_does_not_depend_on_pieces(size: int) -> None:
    text = " " * (2 * SPACE + 5) + '<tool_call>{"name": "ride"}</tool_call>'
    said, (call,) = found("hermes", [text[i : i + size] for i in range(0, len(text), size)], [RIDE])
    assert (said, call.name) == (" " * (2 * SPACE), "ride")
