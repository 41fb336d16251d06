"""Granite 3 and Phi 4 mini: ``<|tool_call|>``, then a list of calls in JSON.

Source: the chat templates of ibm-granite/granite-3.3-8b-instruct and
microsoft/Phi-4-mini-instruct, which closes the list with ``<|/tool_call|>``.
"""

from __future__ import annotations

from collections.abc import Sequence

from stelae.engines.chat.formats.format import Format
from stelae.engines.chat.formats.json_text import quoted
from stelae.engines.chat.formats.objects import attempt, read_list, read_object
from stelae.engines.chat.formats.shapes import Mark, Shape, Tool, Word, framed
from stelae.engines.chat.formats.tape import Reading, Step, Tape

OPEN, CLOSE = "<|tool_call|>", "<|/tool_call|>"


def read(tape: Tape, tools: Sequence[Tool]) -> Reading:
    """Find calls in a text."""
    del tools
    while (yield from tape.say_until((OPEN,))) is not None:
        yield from attempt(tape, len(OPEN), _calls(tape))


def _calls(tape: Tape) -> Step[None]:
    yield from tape.skip()
    listed = (yield from tape.peek()) == "["
    yield from (read_list(tape) if listed else read_object(tape))
    yield from tape.drop(CLOSE)


def shape(tools: Sequence[Tool], several: bool) -> Shape:
    """The form of calls."""
    calls = framed(tools, lambda name: f'{{"name": {quoted(name)}, "arguments": ', "}")
    return Shape(
        begin=(Mark(OPEN), Word("[")),
        calls=calls,
        between=(Word(", "),),
        end=(Word("]"),),
        several=several,
    )


GRANITE = Format("granite", frozenset({OPEN, CLOSE}), read, shape)
