"""Qwen3-Coder and Qwen 3.5: ``<tool_call><function=name><parameter=key>`` and so on.

Source: the chat templates of Qwen/Qwen3-Coder-30B-A3B-Instruct and Qwen3.5.
"""

from __future__ import annotations

from collections.abc import Sequence

from stelae.engines.chat.formats.format import Format
from stelae.engines.chat.formats.objects import attempt
from stelae.engines.chat.formats.shapes import Mark, Piece, Shape, Tool, Word
from stelae.engines.chat.formats.tagged import Arguments, optional, value_pieces
from stelae.engines.chat.formats.tape import NoCall, Reading, Step, Tape

OPEN, CLOSE = "<tool_call>", "</tool_call>"
FUNCTION, FUNCTION_END = "<function=", "</function>"
PARAMETER, PARAMETER_END = "<parameter=", "</parameter>"


def read(tape: Tape, tools: Sequence[Tool]) -> Reading:
    """Find calls in a text; some models leave the outer tag out."""
    known = {tool.name: tool for tool in tools}
    while (mark := (yield from tape.say_until((OPEN, FUNCTION)))) is not None:
        yield from attempt(tape, len(mark), _block(tape, known, opened=mark == FUNCTION))


def _block(tape: Tape, known: dict[str, Tool], *, opened: bool) -> Step[None]:
    if not opened:
        yield from tape.skip()
        yield from tape.take(FUNCTION)
    name = yield from tape.name(">")
    if not (yield from _inside(tape)):
        raise NoCall
    arguments = Arguments(tape, known.get(name))
    arguments.begin(name)
    while (yield from tape.drop(PARAMETER)):
        key = yield from tape.until(">")
        yield from arguments.read(key.strip(), PARAMETER_END, lines=True)
    yield from tape.skip()
    yield from tape.take(FUNCTION_END)
    arguments.end()
    yield from tape.drop(CLOSE)


def _inside(tape: Tape) -> Step[bool]:
    """Whether a tag comes next."""
    yield from tape.skip()
    return (yield from tape.peek()) == "<"


def shape(tools: Sequence[Tool], several: bool) -> Shape:
    """The form of calls."""
    calls = tuple(
        (
            Mark(OPEN),
            Word(f"\n{FUNCTION}{tool.name}>\n"),
            *(piece for key in tool.properties for piece in _parameter(tool, key)),
            Word(f"{FUNCTION_END}\n"),
            Mark(CLOSE),
        )
        for tool in tools
    )
    return Shape(begin=(), calls=calls, between=(Word("\n"),), several=several)


def _parameter(tool: Tool, key: str) -> tuple[Piece, ...]:
    close = f"\n{PARAMETER_END}"
    return optional(tool, key, (
        Word(f"{PARAMETER}{key}>\n"),
        *value_pieces(tool.properties[key], close),
        Word(f"{close}\n"),
    ))  # fmt: skip


QWEN_XML = Format("qwen-xml", frozenset({OPEN, CLOSE}), read, shape)
