"""Calls as Python writes them: Llama 3.2 and 4, ``[f(a=1), g()]``.

Source: the model cards of Llama 3.2 and Llama 4 (prompt formats), which close the list with
``<|python_end|>`` where they open it with ``<|python_start|>``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stelae.engines.chat.formats.format import Format
from stelae.engines.chat.formats.json_text import HEX, written
from stelae.engines.chat.formats.objects import attempt
from stelae.engines.chat.formats.shapes import Either, Piece, Shape, Tool, Value, Word
from stelae.engines.chat.formats.tagged import PYTHON, kinds, listed
from stelae.engines.chat.formats.tape import NoCall, Reading, Step, Tape
from stelae.engines.chat.formats.values import Values

START, END = "<|python_start|>", "<|python_end|>"

ESCAPES = {
    "n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "a": "\a", "v": "\v", "0": "\0",
    "\n": "", "\\": "\\", "'": "'", '"': '"', "/": "/",
}  # fmt: skip
"""What letters mean behind a backslash; before others it is itself."""

CODES = {"x": 2, "u": 4, "U": 8}
"""Digits of a letter's number."""


class _Text:
    """Passes the letters of a text on, halves of surrogate pairs together."""

    def __init__(self, tape: Tape) -> None:
        self._tape, self._half = tape, ""

    def put(self, letter: str) -> None:
        """One more letter."""
        if "\ud800" <= letter < "\udc00":
            self._flush()
            self._half = letter
        elif self._half and "\udc00" <= letter < "\ue000":
            pair, self._half = self._half + letter, ""
            whole = pair.encode("utf-16", "surrogatepass").decode("utf-16")
            self._tape.argue(written(whole))
        else:
            self._flush()
            self._tape.argue(written(letter))

    def end(self) -> None:
        """The text is over."""
        self._flush()
        self._tape.argue('"')

    def _flush(self) -> None:
        self._tape.argue(written(self._half))
        self._half = ""


def read_text(tape: Tape) -> Step[bool]:
    """Pass a text on, in marks of one or three."""
    mark = yield from tape.peek()
    if mark not in ("'", '"'):
        return False
    count = yield from _marks(tape, mark)
    tape.argue('"')
    text, run = _Text(tape), 0
    while count != 2:
        letter = yield from tape.next()
        if letter == mark:
            run += 1
            if run == count:
                break
            continue
        for _ in range(run):
            text.put(mark)
        run = 0
        text.put((yield from _escape(tape)) if letter == "\\" else letter)
    text.end()
    return True


def _marks(tape: Tape, mark: str) -> Step[int]:
    """Take the marks before a text: one, three, or two, which are an empty text."""
    count = 0
    while count < 3 and (yield from tape.peek()) == mark:
        yield from tape.next()
        count += 1
    return count


def _escape(tape: Tape) -> Step[str]:
    letter = yield from tape.next()
    if letter not in CODES:
        return ESCAPES.get(letter, f"\\{letter}")
    digits = ""
    for _ in range(CODES[letter]):
        digits += yield from tape.next()
    if not HEX.issuperset(digits) or int(digits, 16) > 0x10FFFF:
        raise NoCall
    return chr(int(digits, 16))


VALUES = Values(read_text, PYTHON, bare=False, closed={"{": "}", "[": "]", "(": ")"})


def expression(tape: Tape, known: dict[str, Tool]) -> Step[None]:
    """One call, ``name(key=value, ...)``, of a tool that there is.

    Raises:
        NoCall: It is no such call, or breaks off.
    """
    yield from tape.skip()
    name = ""
    while (letter := (yield from tape.next())) != "(":
        name += letter
        if not any(tool.startswith(name) for tool in known):
            raise NoCall
    if name not in known:
        raise NoCall
    yield from tape.skip()
    if (yield from tape.peek()) in ("'", '"', "[", "{", ""):
        raise NoCall
    tape.call(name)
    yield from VALUES.members(tape, ")", "=", 0)
    tape.end()


def expression_shape(tool: Tool) -> tuple[Piece, ...]:
    """The form of one call."""
    arguments = listed(tool, lambda key: (Word(f"{key}="), _value(tool.properties[key])))
    return (Word(f"{tool.name}("), *arguments, Word(")"))


def _value(schema: Any) -> Piece:
    if kinds(schema) == {"boolean"}:
        return Either(((Word("True"),), (Word("False"),)))
    return Value(schema if isinstance(schema, dict) else {})


def read(tape: Tape, tools: Sequence[Tool]) -> Reading:
    """Find a list of calls at the beginning of a text, or behind the mark."""
    known = {tool.name: tool for tool in tools}
    tape.hold()
    mark: str | None = ""
    while mark is not None:
        yield from attempt(tape, len(mark), _list(tape, known))
        mark = yield from tape.say_until((START,))


def _list(tape: Tape, known: dict[str, Tool]) -> Step[None]:
    yield from tape.skip()
    yield from tape.take("[")
    yield from expression(tape, known)
    while True:
        tape.hold()
        yield from tape.skip()
        if (yield from tape.peek()) == "]":
            yield from tape.next()
            tape.let_go()
            yield from tape.drop(END)
            return
        yield from tape.take(",")
        yield from expression(tape, known)


def shape(tools: Sequence[Tool], several: bool) -> Shape:
    """The form of calls."""
    calls = tuple(expression_shape(tool) for tool in tools)
    return Shape((Word("["),), calls, (Word(", "),), (Word("]"),), several)


PYTHONIC = Format("llama-pythonic", frozenset({START, END}), read, shape)
