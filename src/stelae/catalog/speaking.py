"""How a language model calls tools and shows its thought, by the signs in its chat template.

Source: the chat templates of the families named below.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec.structs import replace

from stelae.catalog.entry import ModelEntry
from stelae.catalog.spec import Generation
from stelae.errors import InvalidInput

SIGNS: tuple[tuple[str, str], ...] = (
    ("gemma4", r"<\|tool_call>"),
    ("function-gemma", r"<start_function_call>"),
    ("gemma", r"```tool_code"),
    ("deepseek-v3", r"<\uff5ctool\u2581sep\uff5c>(?s:.){0,200}```json"),
    ("deepseek-v3.1", r"<\uff5ctool\u2581calls\u2581begin\uff5c>"),
    ("qwen-xml", r"<function="),
    ("glm-4.5", r"<arg_key>"),
    ("hermes", r"<tool_call>"),
    ("mistral-args", r"\[ARGS\]"),
    ("mistral", r"\[TOOL_CALLS\]"),
    ("llama-pythonic", r"\[\s*func_name1\(|<\|python_start\|>"),
    ("granite", r"<\|tool_call\|>"),
    ("llama", r"<\|python_tag\|>|\"parameters\": dictionary of argument name"),
    ("glm-4", r"<\|observation\|>"),
    ("json", r"\btools\b"),
)
"""Formats of tool calls, and what in a template shows them; the first that is found counts."""

FORMATS = frozenset(name for name, _ in SIGNS)

THOUGHTS: tuple[tuple[str, str], ...] = (
    ("<think>", "</think>"),
    ("[THINK]", "[/THINK]"),
    ("<|channel>thought\n", "<channel|>"),
    ("<seed:think>", "</seed:think>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
)
"""What stands before and behind a thought."""


def speaking(
    generation: Generation, entry: ModelEntry, id_of: Callable[[str], int | None]
) -> Generation:
    """With the format of its calls and the marks of its thought, as its entry wants it.

    Args:
        generation: What the checkpoint says.
        entry: What a person says: perhaps another template, and texts that end what it writes.
        id_of: The id of a token by its text, if there is such a token.

    Raises:
        InvalidInput: The entry names a format that there is not.
    """
    template = entry.chat_template or generation.template
    if entry.tool_format is not None and entry.tool_format not in FORMATS:
        raise InvalidInput(
            f"tool_format={entry.tool_format!r}: no such format; known are "
            f"{', '.join(sorted(FORMATS))}",
            param="tool_format",
        )
    tools = entry.tool_format if entry.tool_format is not None else tool_format(template)
    ends = {id for stop in entry.stops if (id := id_of(stop)) is not None}
    return replace(
        generation,
        template=template,
        ends=tuple(dict.fromkeys([*generation.ends, *sorted(ends)])),
        tools=tools,
        reasoning=thought_marks(template),
    )


def tool_format(template: str) -> str:
    """The format that a template shows; empty if it tells models of no tools."""
    return next((name for name, sign in SIGNS if re.search(sign, template)), "")


def thought_marks(template: str) -> tuple[str, ...]:
    """What stands before and behind a thought; nothing if the template knows of none.

    The second mark decides: some templates only ever cut thoughts out.
    """
    return next((marks for marks in THOUGHTS if marks[1] in template), ())
