"""The form of a text that calls tools, as pieces of which a grammar can be made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from stelae.types import ChatCall, NamedTool


@dataclass(frozen=True, slots=True)
class Mark:
    """A sign of the format: one token, special or not, where the tokenizer has it; else letters.

    Attributes:
        text: Its letters.
    """

    text: str


@dataclass(frozen=True, slots=True)
class Word:
    """Letters as they stand."""

    text: str


@dataclass(frozen=True, slots=True)
class Value:
    """A JSON value.

    Attributes:
        schema: The JSON Schema that it fits.
    """

    schema: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Raw:
    """Any text, perhaps none, up to the first ``until``, which is the beginning of the next piece.

    Attributes:
        until: Letters that do not stand in it.
    """

    until: str


@dataclass(frozen=True, slots=True)
class Maybe:
    """Pieces that may be left out together."""

    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """One of several."""

    choices: tuple[tuple[Piece, ...], ...]


Piece = Mark | Word | Value | Raw | Maybe | Either


@dataclass(frozen=True, slots=True)
class Shape:
    """A text of calls and nothing else: ``begin call (between call)* end``.

    Attributes:
        begin: What stands before the first call.
        calls: How a call looks, for each tool that may be called; at least one.
        between: What stands between two calls.
        end: What stands behind the last.
        several: Whether there may be more than one.
    """

    begin: tuple[Piece, ...]
    calls: tuple[tuple[Piece, ...], ...]
    between: tuple[Piece, ...] = ()
    end: tuple[Piece, ...] = ()
    several: bool = True


ANY: dict[str, Any] = {"type": "object"}
"""The schema of a tool that states none."""


SHARED = ("$defs", "definitions")
"""Words of JSON Schema that hold what schemas refer to."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that may be called.

    Attributes:
        name: Its name.
        schema: JSON Schema of its arguments; an object.
    """

    name: str
    schema: dict[str, Any]

    @property
    def properties(self) -> dict[str, Any]:
        """Schemas of the arguments by name, with the definitions that they refer to."""
        found = self.schema.get("properties")
        shared = {word: self.schema[word] for word in SHARED if word in self.schema}
        if not isinstance(found, dict):
            return {}
        return {name: {**shared, **s} if _refers(s) else s for name, s in found.items()}

    @property
    def required(self) -> frozenset[str]:
        """Arguments that each call has."""
        found = self.schema.get("required")
        return frozenset(found) if isinstance(found, list) else frozenset()


def tools_of(call: ChatCall) -> tuple[Tool, ...]:
    """The tools that a call lets the model use; only one if that one is named."""
    if call.tool_choice == "none":
        return ()
    tools = tuple(_tool(tool["function"]) for tool in call.tools)
    if isinstance(call.tool_choice, NamedTool):
        return tuple(tool for tool in tools if tool.name == call.tool_choice.name)
    return tools


def _tool(function: dict[str, Any]) -> Tool:
    schema = function.get("parameters")
    return Tool(function["name"], schema if isinstance(schema, dict) and schema else ANY)


def _refers(schema: Any) -> bool:
    return isinstance(schema, dict) and b'"$ref"' in msgspec.json.encode(schema)


def forced(call: ChatCall) -> bool:
    """Whether a call of a tool must be made."""
    return bool(call.tools) and call.tool_choice not in ("auto", "none")


def framed(
    tools: Sequence[Tool], before: Callable[[str], str], after: str
) -> tuple[tuple[Piece, ...], ...]:
    """Calls that are a name and arguments in JSON, between letters.

    Args:
        tools: The tools.
        before: Letters before the arguments of a tool, by its name.
        after: Letters behind them.
    """
    return tuple((Word(before(tool.name)), Value(tool.schema), Word(after)) for tool in tools)
