"""The seam between conversations with pictures and what reads these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

S = TypeVar("S")


class Eyes(Protocol[S]):
    """Reads the pictures of conversations for one model; used by several threads."""

    def look(self, images: Sequence[bytes]) -> S:
        """Pictures ready to run, in order, from the bytes of their files.

        Raises:
            InvalidInput: One cannot be read.
        """
        ...

    def expand(self, ids: Sequence[int], sight: S) -> list[int]:
        """A conversation in which each picture takes as many tokens as it has.

        Raises:
            InvalidInput: It does not have one place for each picture.
        """
        ...
