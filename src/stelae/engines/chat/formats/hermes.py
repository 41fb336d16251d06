"""Hermes and Qwen 2.5 / 3: an object in JSON between ``<tool_call>`` and ``</tool_call>``.

Source: the chat templates of NousResearch/Hermes-3-Llama-3.1-8B and Qwen/Qwen3-8B.
"""

from __future__ import annotations

from collections.abc import Sequence

from stelae.engines.chat.formats.format import Format
from stelae.engines.chat.formats.json_text import quoted
from stelae.engines.chat.formats.objects import attempt, read_object
from stelae.engines.chat.formats.shapes import Mark, Shape, Tool, Value, Word
from stelae.engines.chat.formats.tape import Reading, Step, Tape

OPEN, CLOSE = "<tool_call>", "</tool_call>"


def read(tape: Tape, tools: Sequence[Tool]) -> Reading:
    """Find calls in a text."""
    del tools
    while (yield from tape.say_until((OPEN,))) is not None:
        yield from attempt(tape, len(OPEN), _block(tape))


def _block(tape: Tape) -> Step[None]:
    yield from read_object(tape)
    yield from tape.drop(CLOSE)


def shape(tools: Sequence[Tool], several: bool) -> Shape:
    """The form of calls."""
    calls = tuple(
        (
            Mark(OPEN),
            Word(f'\n{{"name": {quoted(tool.name)}, "arguments": '),
            Value(tool.schema),
            Word("}\n"),
            Mark(CLOSE),
        )
        for tool in tools
    )
    return Shape(begin=(), calls=calls, between=(Word("\n"),), several=several)


HERMES = Format("hermes", frozenset({OPEN, CLOSE}), read, shape)
