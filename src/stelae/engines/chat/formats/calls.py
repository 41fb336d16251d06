"""A text that grows, as words and pieces of calls."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence

from stelae.engines.chat.formats.format import Format
from stelae.engines.chat.formats.shapes import Tool
from stelae.engines.chat.formats.tape import Argued, Called, Ended, Found, Said, Tape
from stelae.types import ToolPiece


class Calls:
    """Finds calls in one text.

    Args:
        format: How they are written.
        tools: Tools that may be called.

    Attributes:
        begun: Calls that have begun.
        whole: Calls that are whole.
    """

    def __init__(self, format: Format, tools: Sequence[Tool]) -> None:
        self._tape = Tape()
        self._reading = format.read(self._tape, tools)
        self.begun = self.whole = 0

    def feed(self, text: str, *, over: bool, most: int | None = None) -> Iterator[str | ToolPiece]:
        """More of the text: words and pieces of calls in their order.

        Args:
            text: The text.
            over: Whether nothing follows.
            most: Calls after which nothing more is told.
        """
        self._tape.give(text)
        self._tape.over = over
        next(self._reading, None)
        found, self._tape.found = self._tape.found, []
        for each in _joined(found):
            if most is not None and self.whole >= most:
                return
            yield from self._told(each)

    def _told(self, found: Found) -> Iterator[str | ToolPiece]:
        match found:
            case Said(text=text):
                yield text
            case Called(name=name):
                self.begun += 1
                yield ToolPiece(index=self.begun - 1, id=call_id(), name=name)
            case Argued(text=text):
                yield ToolPiece(index=self.begun - 1, arguments=text)
            case Ended():
                self.whole += 1


def call_id() -> str:
    """A name for a call."""
    return f"call_{secrets.token_hex(12)}"


def _joined(found: Sequence[Found]) -> Iterator[Found]:
    """The same with words, and with arguments, that follow one another as one."""
    held: Said | Argued | None = None
    for each in found:
        match held, each:
            case Said(text=first), Said(text=second):
                held = Said(first + second)
            case Argued(text=first), Argued(text=second):
                held = Argued(first + second)
            case _:
                if held is not None:
                    yield held
                held = each if isinstance(each, Said | Argued) else None
                if held is None:
                    yield each
    if held is not None:
        yield held
