"""Gemma: calls in Python in a block of code, or ``call:name{...}`` between marks.

Source: Google's notes on function calling with Gemma 3 (a block ``tool_code``), and the chat
templates of google/functiongemma-270m-it and of Gemma 4 (``call:``, each with marks of its own
around calls and texts).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from stelae.engines.chat.formats.format import Format
from stelae.engines.chat.formats.objects import attempt
from stelae.engines.chat.formats.python import expression, expression_shape
from stelae.engines.chat.formats.shapes import Mark, Piece, Shape, Tool, Value, Word
from stelae.engines.chat.formats.tagged import TEXT, kinds, listed, value_pieces
from stelae.engines.chat.formats.tape import Reading, Step, Tape
from stelae.engines.chat.formats.values import Values, read_key, text_between

BLOCK, FENCE = "```tool_code", "```"
PRINT = "print("


def read_code(tape: Tape, tools: Sequence[Tool]) -> Reading:
    """Find calls in blocks of code, of tools that there are, perhaps within ``print``."""
    known = {tool.name: tool for tool in tools}
    while (yield from tape.say_until((BLOCK,))) is not None:
        calls = yield from attempt(tape, len(BLOCK), _line(tape, known))
        while calls and not (yield from tape.drop(FENCE)):
            tape.hold()
            calls = yield from attempt(tape, 0, _line(tape, known))
        if calls:
            yield from tape.skip()


def _line(tape: Tape, known: dict[str, Tool]) -> Step[None]:
    yield from tape.skip()
    printed = yield from tape.drop(PRINT)
    yield from expression(tape, known)
    if printed:
        yield from tape.drop(")")


def code_shape(tools: Sequence[Tool], several: bool) -> Shape:
    """The form of calls in a block of code."""
    return Shape(
        begin=(Word(f"{BLOCK}\n"),),
        calls=tuple(expression_shape(tool) for tool in tools),
        between=(Word("\n"),),
        end=(Word(f"\n{FENCE}"),),
        several=several,
    )


def _read(begin: str, end: str, values: Values) -> Callable[[Tape, Sequence[Tool]], Reading]:
    def read(tape: Tape, tools: Sequence[Tool]) -> Reading:
        del tools
        while (yield from tape.say_until((begin,))) is not None:
            yield from attempt(tape, len(begin), _call(tape, end, values))

    return read


def _call(tape: Tape, end: str, values: Values) -> Step[None]:
    yield from tape.skip()
    yield from tape.take("call:")
    name = yield from read_key(tape, "{")
    yield from tape.next()
    tape.call(name)
    yield from values.members(tape, "}", ":", 0)
    tape.end()
    yield from tape.drop(end)


def _shape(begin: str, end: str, quote: str) -> Callable[[Sequence[Tool], bool], Shape]:
    def shape(tools: Sequence[Tool], several: bool) -> Shape:
        calls = tuple(
            (
                Mark(begin),
                Word(f"call:{tool.name}{{"),
                *_members(tool, quote),
                Word("}"),
                Mark(end),
            )
            for tool in tools
        )
        return Shape(begin=(), calls=calls, several=several)

    return shape


def _members(tool: Tool, quote: str) -> tuple[Piece, ...]:
    return listed(tool, lambda key: (Word(f"{key}:"), *_value(tool.properties[key], quote)))


def _value(schema: Any, quote: str) -> tuple[Piece, ...]:
    if kinds(schema) != TEXT:
        return (Value(schema if isinstance(schema, dict) else {}),)
    return (Mark(quote), *value_pieces(schema, quote), Mark(quote))


def _format(name: str, begin: str, end: str, quote: str) -> Format:
    words = {"None": "null", "True": "true", "False": "false"}
    values = Values(text_between(quote), words, bare=True, closed={"{": "}", "[": "]"})
    return Format(
        name,
        frozenset({begin, end, quote}),
        _read(begin, end, values),
        _shape(begin, end, quote),
    )


GEMMA = Format("gemma", frozenset(), read_code, code_shape)
FUNCTION_GEMMA = _format(
    "function-gemma", "<start_function_call>", "<end_function_call>", "<escape>"
)
GEMMA_4 = _format("gemma4", "<|tool_call>", "<tool_call|>", '<|"|>')
