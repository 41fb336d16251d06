"""How models call tools and show thought, read from chat templates."""

from __future__ import annotations

import pytest

from stelae.catalog.entry import ModelEntry
from stelae.catalog.speaking import speaking, thought_marks, tool_format
from stelae.catalog.spec import Generation
from stelae.errors import InvalidInput

BAR, BLOCK = "\uff5c", "\u2581"

TEMPLATES = {
    "hermes": "{% if tools %}within <tool_call></tool_call> XML tags{% endif %}",
    "qwen-xml": "<tool_call>\n<function=' + tool_call.name + '>\n",
    "llama": '{"name": function name, "parameters": dictionary of argument name and its value}',
    "llama-pythonic": "[func_name1(params_name1=params_value1), func_name2(params)]",
    "mistral": "{{- '[TOOL_CALLS] [' }}{{- tool_call.function|tojson }}",
    "mistral-args": "{{- '[TOOL_CALLS]' + name + '[ARGS]' + arguments }}",
    "glm-4": "<|observation|>{{ tools }}",
    "glm-4.5": "<tool_call>{{ name }}\n<arg_key>{{ k }}</arg_key>",
    "deepseek-v3": (
        f"'<{BAR}tool{BLOCK}calls{BLOCK}begin{BAR}>' + '<{BAR}tool{BLOCK}sep{BAR}>' + name "
        "+ '\\n' + '```json' + '\\n'"
    ),
    "deepseek-v3.1": (
        f"'<{BAR}tool{BLOCK}calls{BLOCK}begin{BAR}>' + name + '<{BAR}tool{BLOCK}sep{BAR}>'"
    ),
    "function-gemma": "<start_function_call>call:",
    "gemma4": "<|tool_call>call:",
    "granite": "'<|tool_call|>'",
    "json": "{% for tool in tools %}{{ tool | tojson }}{% endfor %}",
    "": "{% for message in messages %}{{ message.content }}{% endfor %}",
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_signs_in_a_template_tell_the_format(name: str) -> None:
    assert tool_format(TEMPLATES[name]) == name


def test_thought_is_known_by_what_stands_behind_it() -> None:
    assert thought_marks("{{ content.split('</think>')[-1] }}") == ("<think>", "</think>")
    assert thought_marks("[THINK]{{ thought }}[/THINK]") == ("[THINK]", "[/THINK]")
    assert thought_marks("{{ content }}") == ()


IDS = {"<|end|>": 7, "</s>": 2}
"""Tokens of a vocabulary."""


def test_an_entry_states_what_the_template_does_not_show() -> None:
    plain = Generation(template="{{ messages }}", ends=())
    entry = ModelEntry(name="m", source="x", tool_format="gemma")
    assert speaking(plain, entry, IDS.get).tools == "gemma"


def test_an_unknown_format_is_refused() -> None:
    entry = ModelEntry(name="m", source="x", tool_format="smoke")
    with pytest.raises(InvalidInput, match="smoke"):
        speaking(Generation(template="", ends=()), entry, IDS.get)


def test_an_entry_may_bring_a_template_and_further_ends() -> None:
    plain = Generation(template="{{ messages }}", ends=(2,))
    entry = ModelEntry(
        name="m", source="x", chat_template="{{ x }}</think>", stops=("<|end|>", "END", "</s>")
    )
    made = speaking(plain, entry, IDS.get)
    assert (made.template, made.reasoning) == ("{{ x }}</think>", ("<think>", "</think>"))
    assert made.ends == (2, 7)
