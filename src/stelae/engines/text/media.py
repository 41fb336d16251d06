"""Items that are no texts, on their way to models that read both: pictures, recordings."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Protocol

from stelae.engines.hardware import cores
from stelae.engines.text.features import DENSE, Features
from stelae.engines.text.pictures import is_picture
from stelae.errors import InvalidInput
from stelae.types import Item, OutputType, Role


class Media(Protocol):
    """Reads pictures or recordings for one model.

    Attributes:
        tokens: Tokens of an item, at most.
        together: Whether several threads may read at a time.
    """

    tokens: int
    together: bool

    def read(
        self, item: Item, outputs: tuple[OutputType, ...] = DENSE, role: Role | None = None
    ) -> Features | InvalidInput:
        """What an item holds, or why it cannot be read.

        Args:
            item: With ``image``, ``pixels`` or ``audio``, as the model reads.
            outputs: What is wanted.
            role: The side it stands on.
        """
        ...


def is_media(item: Item) -> bool:
    """Whether an item is a picture or a recording."""
    return is_picture(item) or item.audio is not None


def read_all(
    media: Media, items: Sequence[Item], outputs: tuple[OutputType, ...], role: Role | None
) -> list[Features | InvalidInput]:
    """What each item holds, or why it cannot be read, in order; by all cores if they may."""
    if len(items) < 2 or not media.together:
        return [media.read(item, outputs, role) for item in items]
    return list(_readers().map(lambda item: media.read(item, outputs, role), items))


@cache
def _readers() -> ThreadPoolExecutor:
    """Threads for files: what reads and resizes them lets others run."""
    return ThreadPoolExecutor(cores(), thread_name_prefix="stelae-media")
