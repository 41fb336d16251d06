"""The two sides of a pair, read as far as must be known which one is longer."""

from __future__ import annotations

from dataclasses import dataclass, field

from stelae.engines.text.intake import Ids, Intake
from stelae.types import Truncate

FURTHER = 4
"""By how much more is read of two long texts, again and again, until one of them ends."""


@dataclass(slots=True)
class Side:
    """A text, or the ids given for one.

    Attributes:
        intake: Reads texts.
        truncate: What to do with a text that is too long.
        text: What is read; ``None`` where ids were given.
        ids: What was read of it first: all, or more than the model reads.
    """

    intake: Intake
    truncate: Truncate
    text: str | None
    ids: Ids
    _further: dict[int, Ids] = field(default_factory=dict)

    def upto(self, room: int) -> Ids:
        """All its ids, or more than ``room``."""
        if self.text is None or room <= self.intake.spec.max_tokens:
            return self.ids
        if room not in self._further:
            tokenizer = self.intake.tokenizer
            (self._further[room],) = tokenizer.read([self.text], room, self.truncate)
        return self._further[room]


def measured(first: Side, second: Side, room: int) -> tuple[Ids, Ids]:
    """Ids of both sides, enough to tell which one is longer.

    Where both are cut, the longer one keeps the odd token: it counts how long the
    texts are, not how much of them was read.

    Args:
        first: One side.
        second: The other.
        room: Tokens up to which both have been read.
    """
    ids = first.upto(room), second.upto(room)
    while first.truncate is not Truncate.ERROR and min(map(len, ids)) > room + 1:
        room *= FURTHER
        ids = first.upto(room), second.upto(room)
    return ids
