"""Words of texts, as the checkpoint's own splitter tells them."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Lock
from typing import Any

from gliner.data_processing.tokenizer import StanzaWordsSplitter, WordsSplitter

from stelae.catalog.splitters import WHITESPACE
from stelae.engines.extract.loading import LIBRARY_ERRORS
from stelae.errors import InvalidInput

Word = tuple[str, int, int]
"""A word, its first character and the one after its last."""


class Splitter:
    """Cuts texts into words.

    Args:
        kind: What ``gliner_config.json`` names; its packages are there.
    """

    def __init__(self, kind: str) -> None:
        self._kind, self._lock = kind, Lock()
        self._split: Any = (
            StanzaWordsSplitter(download_on_missing=False)
            if kind == "stanza"
            else WordsSplitter(kind)
        )

    def __call__(self, text: str) -> list[Word]:
        """The words of a text, in order.

        Raises:
            InvalidInput: A language's package cannot read the text.
        """
        if self._kind == WHITESPACE:
            return list(self._split(text))
        try:
            with self._lock:  # these are no more made for threads than their packages say
                return list(_sound(self._split(text), len(text)))
        except LIBRARY_ERRORS as error:
            raise InvalidInput(
                f"{self._kind} cannot cut the text into words: {error}", param="items"
            ) from error


def _sound(words: Iterator[Word], size: int) -> Iterator[Word]:
    """Those that stand in the text behind the ones before.

    Some packages change letters on the way, and the library then looks in vain.
    """
    last = 0
    for word, start, end in words:
        if last <= start < end <= size:
            yield word, start, end
            last = end
