"""The latest lines of this process's log, for those who cannot see where it is written."""

from __future__ import annotations

import re
from collections import deque
from threading import Lock
from typing import TextIO

import msgspec

LINES = 1000
LONGEST = 4096
"""Characters of a line that are kept."""

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the log.

    Attributes:
        lines: Its lines, the oldest first.
        next: The number from which the log goes on.
        lost: Lines between what was asked for and what is there still.
    """

    lines: list[str]
    next: int
    lost: int


class Latest:
    """Keeps so many lines; safe to use from several threads.

    Args:
        most: How many; 0 keeps none.
    """

    def __init__(self, most: int = LINES) -> None:
        self._lines: deque[str] = deque(maxlen=most)
        self._next = 0
        self._lock = Lock()

    def keep(self, most: int) -> None:
        """Keep so many from now on."""
        with self._lock:
            self._lines = deque(self._lines, maxlen=most)

    def add(self, text: str) -> None:
        """Keep the lines of a text, without colours."""
        lines = [line[:LONGEST] for line in _COLOURS.sub("", text).splitlines() if line]
        with self._lock:
            self._lines.extend(lines)
            self._next += len(lines)

    def since(self, number: int | None, most: int) -> Told:
        """Lines from a number on.

        Args:
            number: The first one's; ``None`` for the last ones.
            most: How many at most.
        """
        with self._lock:
            lines, following = list(self._lines), self._next
        oldest = following - len(lines)
        if number is None:
            number = max(oldest, following - most)
        first = min(max(number, oldest), following)
        told = lines[first - oldest :][:most]
        return Told(lines=told, next=first + len(told), lost=max(0, oldest - number))


LATEST = Latest()
"""Those of this process, as there is one log of it."""


class Copied:
    """A stream of text whose lines are kept beside.

    Args:
        out: Where they are written.
        latest: Keeps them.
    """

    def __init__(self, out: TextIO, latest: Latest) -> None:
        self._out = out
        self._latest = latest

    def write(self, text: str) -> int:
        """Write a text and keep it."""
        self._latest.add(text)
        return self._out.write(text)

    def flush(self) -> None:
        """Bring it out."""
        self._out.flush()
