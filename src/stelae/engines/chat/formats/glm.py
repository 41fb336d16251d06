"""GLM 4 (a name, then arguments in JSON on the next line) and GLM 4.5 (tagged arguments).

Source: the chat templates of zai-org/glm-4-9b-chat-hf, GLM-4-9B-0414 and GLM-4.5-Air.
"""

from __future__ import annotations

from collections.abc import Sequence

from stelae.engines.chat.formats.format import Format
from stelae.engines.chat.formats.mistral import read_arguments
from stelae.engines.chat.formats.objects import attempt
from stelae.engines.chat.formats.shapes import Mark, Piece, Shape, Tool, Word, framed
from stelae.engines.chat.formats.tagged import Arguments, optional, value_pieces
from stelae.engines.chat.formats.tape import NoCall, Reading, Step, Tape

TURN = "<|assistant|>"
"""Stands before each call but the first."""

OPEN, CLOSE = "<tool_call>", "</tool_call>"
KEY, KEY_END = "<arg_key>", "</arg_key>"
VALUE, VALUE_END = "<arg_value>", "</arg_value>"


def read_lines(tape: Tape, tools: Sequence[Tool]) -> Reading:
    """Find calls at the beginning of a text and of each turn; only names of tools count."""
    names = {tool.name for tool in tools}
    tape.hold()
    mark: str | None = ""
    while mark is not None:
        calls = yield from attempt(tape, len(mark), _line(tape, names))
        while calls:
            tape.hold()
            calls = yield from attempt(tape, 0, _line(tape, names))
        mark = yield from tape.say_until((TURN,))


def _line(tape: Tape, names: set[str]) -> Step[None]:
    yield from tape.skip()
    name = ""
    while (letter := (yield from tape.next())) != "\n":
        name += letter
        if not any(known.startswith(name.strip()) for known in names):
            raise NoCall
    if name.strip() not in names:
        raise NoCall
    yield from read_arguments(tape, name.strip())


def line_shape(tools: Sequence[Tool], several: bool) -> Shape:
    """The form of calls on two lines; one, since models end their turn behind it."""
    del several
    calls = framed(tools, lambda name: f"{name}\n", "")
    return Shape(begin=(Word("\n"),), calls=calls, several=False)


def read(tape: Tape, tools: Sequence[Tool]) -> Reading:
    """Find tagged calls in a text."""
    known = {tool.name: tool for tool in tools}
    while (yield from tape.say_until((OPEN,))) is not None:
        yield from attempt(tape, len(OPEN), _block(tape, known))


def _block(tape: Tape, known: dict[str, Tool]) -> Step[None]:
    name = ""
    while (yield from tape.peek()) not in "<":
        name += yield from tape.next()
    if not (name := name.strip()):
        raise NoCall
    closed = yield from tape.drop(CLOSE)
    first = closed or (yield from tape.drop(KEY))
    if not first:
        raise NoCall
    arguments = Arguments(tape, known.get(name))
    arguments.begin(name)
    while not closed:
        key = yield from tape.until(KEY_END)
        yield from tape.skip()
        yield from tape.take(VALUE)
        yield from arguments.read(key.strip(), VALUE_END, lines=False)
        closed = yield from tape.drop(CLOSE)
        if not closed:
            yield from tape.skip()
            yield from tape.take(KEY)
    arguments.end()


def shape(tools: Sequence[Tool], several: bool) -> Shape:
    """The form of tagged calls."""
    calls = tuple(
        (
            Mark(OPEN),
            Word(f"{tool.name}\n"),
            *(piece for key in tool.properties for piece in _argument(tool, key)),
            Mark(CLOSE),
        )
        for tool in tools
    )
    return Shape(begin=(), calls=calls, between=(Word("\n"),), several=several)


def _argument(tool: Tool, key: str) -> tuple[Piece, ...]:
    return optional(tool, key, (
        Mark(KEY), Word(key), Mark(KEY_END), Word("\n"), Mark(VALUE),
        *value_pieces(tool.properties[key], VALUE_END),
        Mark(VALUE_END), Word("\n"),
    ))  # fmt: skip


GLM_4 = Format("glm-4", frozenset({TURN}), read_lines, line_shape)
GLM_45 = Format("glm-4.5", frozenset({OPEN, CLOSE, KEY, KEY_END, VALUE, VALUE_END}), read, shape)
