"""What a format of tool calls is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stelae.engines.chat.formats.shapes import Shape, Tool
from stelae.engines.chat.formats.tape import Reading, Tape

Read = Callable[[Tape, Sequence[Tool]], Reading]
"""Reads a text to its end; see ``tape``."""


@dataclass(frozen=True, slots=True)
class Format:
    """How models of one family call tools.

    Attributes:
        name: Its name in a model's ``generation.tools``.
        marks: Signs that may be special tokens, and then must not be left out of the text.
        read: Finds calls in a text as it grows.
        shape: The form of a text that calls tools and says nothing else, of the tools that may
            be called and whether several calls may be made.
    """

    name: str
    marks: frozenset[str]
    read: Read
    shape: Callable[[Sequence[Tool], bool], Shape]
