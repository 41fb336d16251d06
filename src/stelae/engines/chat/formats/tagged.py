"""Arguments that are tagged one by one, with texts as they stand and all else in JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stelae.engines.chat.formats.json_text import checked, quoted, written
from stelae.engines.chat.formats.shapes import Either, Maybe, Piece, Raw, Tool, Value, Word
from stelae.engines.chat.formats.tape import Step, Tape

PYTHON = {"True": "true", "False": "false", "None": "null"}
"""What templates that show Python's values write, and models after them."""

TEXT = frozenset({"string"})

NESTED = frozenset({"object", "array"})
"""Kinds that are JSON where nothing says which kind is meant; all else is text then."""

OTHERWISE = {
    "str": "string", "text": "string", "int": "integer", "float": "number", "bool": "boolean",
    "dict": "object", "list": "array",
}  # fmt: skip
"""Names of types that callers write in place of JSON Schema's."""


def kinds(schema: Any) -> frozenset[str]:
    """Names of types that a schema allows; nothing where it does not say."""
    if not isinstance(schema, dict):
        return frozenset()
    if isinstance(stated := schema.get("type"), str):
        return frozenset({OTHERWISE.get(stated, stated)})
    if isinstance(stated, list):
        return frozenset(OTHERWISE.get(kind, kind) for kind in stated if isinstance(kind, str))
    options = schema.get("anyOf") or schema.get("oneOf")
    if isinstance(options, list):
        return frozenset[str]().union(*map(kinds, options))
    values = schema.get("enum")
    if isinstance(values, list) and all(isinstance(value, str) for value in values):
        return TEXT
    return frozenset()


class Arguments:
    """The arguments of a call, written as JSON while they come.

    Args:
        tape: Told of the arguments.
        tool: The tool, if it is known.
    """

    def __init__(self, tape: Tape, tool: Tool | None) -> None:
        self._tape = tape
        self._schemas = tool.properties if tool is not None else {}
        self._empty = True

    def begin(self, name: str) -> None:
        """The call begins."""
        self._tape.call(name)
        self._tape.argue("{")

    def end(self) -> None:
        """It is whole."""
        self._tape.argue("}")
        self._tape.end()

    def read(self, key: str, close: str, *, lines: bool) -> Step[None]:
        """The value of an argument, up to its closing tag, which is taken.

        Args:
            key: Name of the argument.
            close: The tag.
            lines: Whether the value stands on lines of its own.

        Raises:
            NoCall: The text is over before.
        """
        self._tape.argue(("" if self._empty else ", ") + quoted(key) + ": ")
        self._empty = False
        if lines:
            yield from self._break()
        if (allowed := kinds(self._schemas.get(key))) == TEXT:
            yield from self._text(close, lines=lines)
            return
        value = yield from self._tape.until(close)
        self._tape.argue(_value(value.removesuffix("\n") if lines else value, allowed))

    def _break(self) -> Step[None]:
        if (yield from self._tape.peek()) == "\n":
            yield from self._tape.next()

    def _text(self, close: str, *, lines: bool) -> Step[None]:
        """A text, passed on as it grows."""
        self._tape.argue('"')
        held, most = "", len(close) + lines
        while not held.endswith(close):
            held += yield from self._tape.next()
            if len(held) > most:
                self._tape.argue(written(held[0]))
                held = held[1:]
        held = held.removesuffix(close)
        self._tape.argue(written(held.removesuffix("\n") if lines else held) + '"')


def _value(text: str, allowed: frozenset[str]) -> str:
    """A value as JSON: what it is if it is JSON of an allowed kind, else a text."""
    bare = text.strip()
    made = checked(PYTHON.get(bare, bare))
    strict = "string" in allowed or not allowed
    if made is None or (strict and _kind(made).isdisjoint(allowed or NESTED)):
        return quoted(text)
    return made


def _kind(value: str) -> frozenset[str]:
    """Names of types that a JSON value has."""
    first = value[0]
    named = {"{": "object", "[": "array", '"': "string", "t": "boolean", "f": "boolean"}
    if first in named:
        return frozenset({named[first]})
    return frozenset({"null"} if first == "n" else {"number", "integer"})


def value_pieces(schema: Any, close: str) -> tuple[Piece, ...]:
    """The form of a value before its closing tag."""
    if kinds(schema) != TEXT:
        return (Value(schema if isinstance(schema, dict) else {}),)
    values = schema.get("enum")
    if isinstance(values, list) and values:
        return (Either(tuple((Word(str(value)),) for value in values)),)
    return (Raw(close),)


def listed(tool: Tool, pieces: Callable[[str], tuple[Piece, ...]]) -> tuple[Piece, ...]:
    """The form of all arguments with commas between them, those that are required first.

    Args:
        tool: The tool.
        pieces: The form of one, by its name.
    """
    first = [key for key in tool.properties if key in tool.required]
    others = [key for key in tool.properties if key not in tool.required]
    comma = (Word(", "),)
    if first:
        known = [piece for key in first for piece in (*comma, *pieces(key))][1:]
        return (*known, *(Maybe((*comma, *pieces(key))) for key in others))
    starts = tuple(
        (*pieces(key), *(Maybe((*comma, *pieces(later))) for later in others[i + 1 :]))
        for i, key in enumerate(others)
    )
    return (Maybe((Either(starts),)),) if starts else ()


def optional(tool: Tool, key: str, pieces: tuple[Piece, ...]) -> tuple[Piece, ...]:
    """Pieces of an argument, which may be left out if the tool does not require it."""
    return pieces if key in tool.required else (Maybe(pieces),)
