"""From tokens to text as it grows: whole characters, and no stop string ever shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Decode = Callable[[Sequence[int]], str]
"""The text of tokens, special ones left out."""

BROKEN = "\ufffd"
"""Stands for bytes that are no character yet, or never."""

HELD = 16
"""Tokens at most that may wait for the rest of a character."""


class Text:
    """The text of tokens that come one by one.

    A token's text depends on its neighbours, so tokens are decoded with some before them, and
    what those made alone is cut off. Joined, the pieces are the text of all tokens.

    Args:
        decode: Of the tokenizer.
    """

    def __init__(self, decode: Decode) -> None:
        self._decode = decode
        self._ids: list[int] = []
        self._known = 0

    def add(self, token: int) -> str:
        """What is certain now, perhaps nothing."""
        self._ids.append(token)
        return self._told(final=len(self._ids) - self._known > HELD)

    def rest(self) -> str:
        """What is left once no further token comes; bytes that are no character show as U+FFFD."""
        return self._told(final=True)

    def _told(self, *, final: bool) -> str:
        before = self._decode(self._ids[: self._known])
        whole = self._decode(self._ids)
        if whole.endswith(BROKEN) and not final:
            return ""
        made = whole[len(before) :]
        if made or final:
            self._ids = self._ids[self._known :]
            self._known = len(self._ids)
        return made


class Writer:
    """The text of one answer, which ends at the first of its stop strings.

    Args:
        decode: Of the tokenizer.
        stops: Strings at which it ends; none of their letters are told before it is certain
            that they do not begin one.

    Attributes:
        stopped_by: The stop string that has come, if one has.
    """

    def __init__(self, decode: Decode, stops: Sequence[str]) -> None:
        self._text = Text(decode)
        self._stops = tuple(stops)
        self._held = ""
        self.stopped_by: str | None = None

    @property
    def stopped(self) -> bool:
        """Whether a stop string has come."""
        return self.stopped_by is not None

    def add(self, token: int) -> str:
        """What may be told now."""
        return self._tell(self._text.add(token))

    def rest(self) -> str:
        """What is left to tell once no further token comes."""
        told = self._tell(self._text.rest())
        if not self.stopped:
            told, self._held = told + self._held, ""
        return told

    def _tell(self, more: str) -> str:
        if not self._stops:
            return more
        if self.stopped:
            return ""
        text = self._held + more
        found = [(place, stop) for stop in self._stops if (place := text.find(stop)) >= 0]
        if found:
            place, self.stopped_by = min(found, key=lambda each: each[0])
            self._held = ""
            return text[:place]
        cut = len(text) - max((_begun(text, stop) for stop in self._stops), default=0)
        self._held = text[cut:]
        return text[:cut]


def _begun(text: str, stop: str) -> int:
    """Letters at the end of a text that are the beginning of a stop string."""
    for size in range(min(len(text), len(stop) - 1), 0, -1):
        if stop.startswith(text[-size:]):
            return size
    return 0
