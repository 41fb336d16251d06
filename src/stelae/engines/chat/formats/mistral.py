"""Mistral: ``[TOOL_CALLS]``, then a list in JSON, or ``name[ARGS]{...}`` for each call.

Source: the chat templates of mistralai/Mistral-7B-Instruct-v0.3, Mistral-Nemo-Instruct-2407 (list)
and Mistral-Small-3.2-24B-Instruct-2506, Devstral, Magistral (names, perhaps with ``[CALL_ID]``).
"""

from __future__ import annotations

from collections.abc import Sequence

from stelae.engines.chat.formats.format import Format
from stelae.engines.chat.formats.json_text import quoted, read_value
from stelae.engines.chat.formats.objects import attempt, read_list
from stelae.engines.chat.formats.shapes import Mark, Shape, Tool, Value, Word, framed
from stelae.engines.chat.formats.tape import NAME, NoCall, Reading, Step, Tape

CALLS, ARGS, ID = "[TOOL_CALLS]", "[ARGS]", "[CALL_ID]"
MARKS = frozenset({CALLS, ARGS, ID})


def read(tape: Tape, tools: Sequence[Tool]) -> Reading:
    """Find calls in a text, of either kind."""
    del tools
    while (yield from tape.say_until((CALLS,))) is not None:
        yield from attempt(tape, len(CALLS), _calls(tape))


def _calls(tape: Tape) -> Step[None]:
    yield from tape.skip()
    if (yield from tape.peek()) == "[":
        yield from read_list(tape)
        return
    name = ""
    while (yield from tape.peek()) not in "[{":
        name += yield from tape.next()
        if len(name) > NAME:
            raise NoCall
    yield from _call_id(tape)
    yield from tape.drop(ARGS)
    yield from read_arguments(tape, name.strip())


def _call_id(tape: Tape) -> Step[None]:
    """Take the call's name in the conversation; callers get one of ours."""
    if (yield from tape.drop(ID)):
        taken = 0
        while (yield from tape.peek()) not in "[{" and taken < NAME:
            yield from tape.next()
            taken += 1


def read_arguments(tape: Tape, name: str) -> Step[None]:
    """Arguments of a call whose name is known; it is one if they begin as an object.

    Raises:
        NoCall: It has no name, or they do not, or they break off.
    """
    yield from tape.skip()
    if not name or (yield from tape.peek()) != "{":
        raise NoCall
    tape.call(name)
    yield from read_value(tape, tape.argue)
    tape.end()


def list_shape(tools: Sequence[Tool], several: bool) -> Shape:
    """The form of calls in a list."""
    calls = framed(tools, lambda name: f'{{"name": {quoted(name)}, "arguments": ', "}")
    return Shape(
        begin=(Mark(CALLS), Word("[")),
        calls=calls,
        between=(Word(", "),),
        end=(Word("]"),),
        several=several,
    )


def args_shape(tools: Sequence[Tool], several: bool) -> Shape:
    """The form of calls one by one."""
    calls = tuple((Mark(CALLS), Word(tool.name), Mark(ARGS), Value(tool.schema)) for tool in tools)
    return Shape(begin=(), calls=calls, several=several)


MISTRAL = Format("mistral", MARKS, read, list_shape)
MISTRAL_ARGS = Format("mistral-args", MARKS, read, args_shape)
