"""A text that grows, under the eyes of a reader that may change its mind.

A reader is a generator that takes letters from a ``Tape`` and says what it found; it pauses,
by a bare ``yield``, where the text ends for now. What it took since ``begin`` can be put back,
so that what looked like a call and is none becomes text. As readers see one letter after the
other, it does not matter in which pieces the text comes.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from stelae.engines.chat.thought import begun, trimmed

T = TypeVar("T")

Step = Generator[None, None, T]
"""Part of a reader."""

Reading = Step[None]
"""A whole reader."""

HELD = 1 << 16
"""Letters at most that are held until it is certain that they are a call."""


NAME = 256
"""Letters of a name at most; what begins as a call is soon known to be none."""


@dataclass(frozen=True, slots=True)
class Said:
    """Text."""

    text: str


@dataclass(frozen=True, slots=True)
class Called:
    """A call of a tool begins."""

    name: str


@dataclass(frozen=True, slots=True)
class Argued:
    """More of the arguments of the call that began last, as JSON text."""

    text: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The call that began last is whole."""


Found = Said | Called | Argued | Ended


class NoCall(Exception):
    """What looked like a call is none, or breaks off."""


class Tape:
    """The text that a reader reads.

    Attributes:
        over: Whether no more text will come.
        found: What was found and not yet taken.
    """

    def __init__(self) -> None:
        self.over = False
        self.found: list[Found] = []
        self._text, self._at = "", 0
        self._begun: int | None = None

    def give(self, text: str) -> None:
        """Add text."""
        keep = self._at if self._begun is None else self._begun
        self._text = self._text[keep:] + text
        self._at -= keep
        self._begun = None if self._begun is None else 0

    # -- letters -----------------------------------------------------------------------------

    def next(self) -> Step[str]:
        """The next letter.

        Raises:
            NoCall: There is none, or too many are held.
        """
        while self._at >= len(self._text):
            if self.over:
                raise NoCall
            yield
        if self._begun is not None and self._at - self._begun >= HELD:
            raise NoCall
        letter = self._text[self._at]
        self._at += 1
        return letter

    def peek(self) -> Step[str]:
        """The next letter, which is not taken; empty where the text is over."""
        while self._at >= len(self._text):
            if self.over:
                return ""
            yield
        return self._text[self._at]

    def run(self, letters: re.Pattern[str]) -> str:
        """Take what is there of some letters, perhaps nothing, without waiting for more."""
        found = letters.match(self._text, self._at)
        if found is None:
            return ""
        self._at = found.end()
        return found[0]

    def back(self) -> None:
        """Put the last letter back."""
        self._at -= 1

    def skip(self) -> Step[None]:
        """Take white space."""
        while (letter := (yield from self.peek())) and letter.isspace():
            yield from self.next()

    def take(self, text: str) -> Step[None]:
        """Take these letters.

        Raises:
            NoCall: Others come.
        """
        for wanted in text:
            if (yield from self.next()) != wanted:
                self.back()
                raise NoCall

    def drop(self, text: str) -> Step[bool]:
        """Take these letters if they come next, perhaps after white space; else nothing."""
        place = self._at
        begun, self._begun = self._begun, place if self._begun is None else self._begun
        shift = place - self._begun
        try:
            yield from self.skip()
            yield from self.take(text)
        except NoCall:
            self._at = self._begun + shift
            return False
        finally:
            self._begun = begun if begun is None else self._begun
        return True

    def until(self, text: str) -> Step[str]:
        """Letters up to some, which are taken too.

        Raises:
            NoCall: They do not come.
        """
        taken = ""
        while not taken.endswith(text):
            taken += yield from self.next()
        return taken[: len(taken) - len(text)]

    def name(self, end: str) -> Step[str]:
        """A name up to its end, which is taken too; without the white space around it.

        Raises:
            NoCall: It is empty or too long, or its end does not come.
        """
        taken = ""
        while not taken.endswith(end):
            if len(taken) > NAME + len(end):
                raise NoCall
            taken += yield from self.next()
        if not (name := taken.removesuffix(end).strip()):
            raise NoCall
        return name

    # -- text --------------------------------------------------------------------------------

    def say_until(self, marks: Sequence[str]) -> Step[str | None]:
        """Say the text before the first of some marks, less the white space around it.

        Of long white space only the end is left out, see ``trimmed``.

        The mark is taken; from it on letters are held, see ``refuse``.

        Returns:
            The mark; ``None`` where the text is over and none came.
        """
        while True:
            places = [(self._text.find(mark, self._at), -len(mark), mark) for mark in marks]
            if found := min((place for place in places if place[0] >= 0), default=None):
                start = found[0]
                before = trimmed(self._text[self._at : start])
                self._say(before)
                self._begun = self._at + len(before)
                self._at = start + len(found[2])
                return found[2]
            rest = self._text[self._at :]
            kept = 0 if self.over else begun(rest, marks)
            sure = rest if self.over else trimmed(rest[: len(rest) - kept])
            self._say(sure)
            self._at += len(sure)
            if self.over:
                return None
            yield

    def say_rest(self) -> Step[None]:
        """Say all that comes."""
        while True:
            self._say(self._text[self._at :])
            self._at = len(self._text)
            if self.over:
                return
            yield

    def _say(self, text: str) -> None:
        if text:
            self.found.append(Said(text))

    def hold(self) -> None:
        """Hold letters from here on."""
        self._begun = self._at

    def let_go(self) -> None:
        """Hold nothing more."""
        self._begun = None

    def refuse(self, taken: int) -> None:
        """What is held is no call: its first letters are text, the rest is read again.

        Args:
            taken: How many letters at least are text, white space before them not counted.
        """
        start = end = self._at if self._begun is None else self._begun
        while taken and end < len(self._text) and self._text[end].isspace():
            end += 1
        end = min(end + taken, len(self._text))
        self._say(self._text[start:end])
        self._at, self._begun = end, None

    # -- calls -------------------------------------------------------------------------------

    @property
    def held(self) -> bool:
        """Whether what was taken can still be put back."""
        return self._begun is not None

    def call(self, name: str) -> None:
        """A call it is: nothing is put back from here on."""
        self._begun = None
        self.found.append(Called(name))

    def argue(self, text: str) -> None:
        """More of its arguments."""
        if text:
            self.found.append(Argued(text))

    def end(self) -> None:
        """It is whole."""
        self.found.append(Ended())
