"""Calls written in a format, by its shape."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from stelae.engines.chat.formats.format import Format
from stelae.engines.chat.formats.json_text import dumped
from stelae.engines.chat.formats.shapes import Either, Mark, Maybe, Piece, Raw, Tool, Value, Word

NAME, KEY, SAMPLE = "NAME", "ARGUMENT", "VALUE"
"""Stand for a tool, one of its arguments and its value."""


def example(format: Format) -> str:
    """What a call looks like."""
    return written_calls(format, [(NAME, {KEY: SAMPLE})])


def written_calls(format: Format, uses: Sequence[tuple[str, dict[str, Any]]]) -> str:
    """Calls as models write them.

    Args:
        format: How.
        uses: Names and arguments, at least one.
    """
    tools = [_tool(name, arguments) for name, arguments in uses]
    shape = format.shape(tools, len(tools) > 1)
    calls = [
        "".join(_written(pieces, _values(pieces, tool, arguments)))
        for pieces, tool, (_, arguments) in zip(shape.calls, tools, uses, strict=True)
    ]
    fixed = ("".join(_written(pieces, iter(()))) for pieces in (shape.begin, shape.end))
    begin, end = fixed
    between = "".join(_written(shape.between, iter(()))) if shape.several else "\n"
    return begin + between.join(calls) + end


def _tool(name: str, arguments: dict[str, Any]) -> Tool:
    kinds = {key: {"type": "string"} if isinstance(v, str) else {} for key, v in arguments.items()}
    return Tool(name, {"type": "object", "properties": kinds, "required": list(kinds)})


def _values(pieces: Sequence[Piece], tool: Tool, arguments: dict[str, Any]) -> Iterator[Any]:
    """What stands in the places of a call: all arguments together, or one after the other."""
    whole = Value(tool.schema) in pieces
    return iter([arguments] if whole else arguments.values())


def _written(pieces: Sequence[Piece], values: Iterator[Any]) -> Iterator[str]:
    for piece in pieces:
        match piece:
            case Mark(text=text) | Word(text=text):
                yield text
            case Value():
                yield dumped(next(values))
            case Raw():
                yield str(next(values))
            case Maybe(pieces=inner):
                yield from _written(inner, values)
            case Either(choices=choices):
                yield from _written(choices[0], values)
