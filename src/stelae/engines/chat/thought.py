"""What a model thinks before it speaks, told apart from what it says."""

from __future__ import annotations

from collections.abc import Sequence

SPACE = 1024
"""White space that is held at most, since what comes next may drop it; told once it is so long."""


def left_open(written: str, marks: Sequence[str]) -> bool:
    """Whether a conversation ends within a thought, so that the text goes on with it.

    Args:
        written: The conversation, as the template writes it.
        marks: What stands before and behind a thought; nothing if the model shows none.
    """
    return bool(marks) and written.rstrip().endswith(marks[0].rstrip())


class Thought:
    """Splits a text that grows into thought and speech.

    A thought stands at the beginning; white space around both is dropped.

    Args:
        marks: What stands before and behind it.
        inside: Whether the text begins within it.

    Attributes:
        inside: Whether it is going on.
    """

    def __init__(self, marks: Sequence[str], *, inside: bool) -> None:
        self._open, self._close = marks[0], marks[1]
        self.inside = inside
        self._before = not inside
        self._behind = self._thought = False
        self._held = ""

    def feed(self, more: str, *, over: bool = False) -> tuple[str, str]:
        """More of the text.

        Args:
            more: The text.
            over: Whether nothing follows.

        Returns:
            More of the thought and more of what is said.
        """
        text, self._held = self._held + more, ""
        if self._before:
            text = self._begin(text, over)
        thought = ""
        if self.inside:
            thought, text = self._think(text, over)
        if self._behind:
            text = text.lstrip()
            self._behind = not text
        return thought, text

    def _begin(self, text: str, over: bool) -> str:
        """What follows the first mark, or all if there is none."""
        start = text.lstrip()
        if start.startswith(self._open):
            self._before, self.inside = False, True
            return start[len(self._open) :]
        space = len(text) - len(start)
        if not over and space < SPACE and self._open.startswith(start):
            self._held = text
            return ""
        self._before = False
        return text

    def _think(self, text: str, over: bool) -> tuple[str, str]:
        """Thought, and what follows it."""
        if not self._thought:
            text = text.lstrip()
        thought, mark, rest = text.partition(self._close)
        if mark:
            self.inside, self._behind = False, True
        elif not over:
            sure = thought[: len(thought) - begun(thought, (self._close,))]
            self._held = thought[len(trimmed(sure)) :]
        thought = thought[: len(thought) - len(self._held)] if self._held else trimmed(thought)
        self._thought = self._thought or bool(thought)
        return thought, rest


def trimmed(text: str) -> str:
    """A text less the white space at its end, of a long run only what is over whole ``SPACE``s.

    Thus what is told does not depend on the pieces in which a text comes, and little is held.
    """
    end = len(text.rstrip())
    return text[: len(text) - (len(text) - end) % SPACE]


def begun(text: str, marks: Sequence[str]) -> int:
    """Letters at the end of a text that are the beginning of a mark."""
    for size in range(min(len(text), max(map(len, marks)) - 1), 0, -1):
        tail = text[-size:]
        if any(mark.startswith(tail) for mark in marks):
            return size
    return 0
