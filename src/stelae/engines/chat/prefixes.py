"""Memories of texts that have ended, for conversations that begin in the same way.

The next turn of a conversation, or another question under the same instructions, then reads
only what is new.
"""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic

from stelae.engines.chat.stepping import M, blocks

SHORTEST = 16
"""Tokens from which on a common beginning is worth a copy."""

MOST = 64
"""Memories kept at once."""


class Ids:
    """Tokens of a text, quick to compare with others."""

    def __init__(self, ids: Sequence[int]) -> None:
        self._bytes = array("q", ids).tobytes()

    def __len__(self) -> int:
        return len(self._bytes) // 8

    def common(self, other: Ids) -> int:
        """Tokens at the beginning that both have."""
        low, high = 0, min(len(self), len(other))
        while low < high:
            middle = (low + high + 1) // 2
            if self._bytes[8 * low : 8 * middle] == other._bytes[8 * low : 8 * middle]:
                low = middle
            else:
                high = middle - 1
        return low


@dataclass(frozen=True, slots=True, eq=False)
class Read(Generic[M]):
    """What was read, and its memory.

    Attributes:
        kind: What else its keys and values depend on; only the same kind can share them.
        ids: Tokens that ran.
        memory: Their keys and values.
    """

    kind: Hashable
    ids: Ids
    memory: M

    @property
    def room(self) -> int:
        """Tokens that it takes."""
        return blocks(len(self.ids))

    def common(self, kind: Hashable, ids: Ids) -> int:
        """Tokens at the beginning that a text could begin with."""
        return self.ids.common(ids) if self.kind == kind else 0


class Prefixes(Generic[M]):
    """Memories kept, the one used last at the end.

    Args:
        most: Memories kept at once; with 0 no text begins with what another read.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._kept: list[Read[M]] = []
        self._room = 0

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, made: Read[M]) -> None:
        """Take over the memory of a text that has ended; those that it covers are let go."""
        if len(made.ids) < SHORTEST or self._most < 1:
            made.memory.release()
            return
        for kept in [k for k in self._kept if made.common(k.kind, k.ids) == len(k.ids)]:
            self._drop(kept)
        self._kept.append(made)
        self._room += made.room
        self.fit(places=self._most)

    def find(
        self, kind: Hashable, ids: Sequence[int], others: Iterable[Read[M]]
    ) -> tuple[M, int] | None:
        """The memory with the longest beginning in common, and that beginning's tokens.

        The last token of a text is never part of it: it has to run for the next to be known.

        Args:
            kind: Of the text.
            ids: Its tokens.
            others: What texts under way have read.
        """
        wanted = Ids(ids[:-1])
        found = [*others, *self._kept] if self._most else []
        best = max(found, key=lambda read: read.common(kind, wanted), default=None)
        if best is None or (common := best.common(kind, wanted)) < SHORTEST:
            return None
        if best in self._kept:
            self._kept.remove(best)
            self._kept.append(best)
        return best.memory, common

    def fit(self, *, room: int | None = None, places: int | None = None) -> None:
        """Let go of the memories used longest ago until the others fit.

        Args:
            room: Tokens that they may take; ``None`` for any number.
            places: Memories that there may be; ``None`` for any number.
        """
        while self._kept and (
            (room is not None and self._room > room)
            or (places is not None and len(self._kept) > places)
        ):
            self._drop(self._kept[0])

    def _drop(self, kept: Read[M]) -> None:
        self._kept.remove(kept)
        self._room -= kept.room
        kept.memory.release()
