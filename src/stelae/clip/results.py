"""What comes of a call: a matrix for strings, the caller's own documents for documents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from stelae.clip import kinds
from stelae.clip.array import DocumentArray
from stelae.clip.calls import Batch, Call, Piece
from stelae.wire.clip import messages

Place = Callable[[Piece, messages.Document], None]
"""Gives a document its answer."""


class Results:
    """The answers of a call, in the order of its content whatever order they came in.

    Args:
        call: What was asked.
        place: Gives a document its answer.
        matrix: Whether strings become rows of a matrix.
    """

    def __init__(self, call: Call, place: Place, *, matrix: bool = False) -> None:
        self._call = call
        self._place = place
        self._matrix = matrix
        self._rows: dict[int, list[Any]] = {}
        self._batches: dict[int, Batch] = {}
        self._first: Piece | None = None

    def put(self, batch: Batch, found: list[messages.Document]) -> None:
        """Take the answers to a batch."""
        start = batch[0].place.index or 0
        if start == 0:
            self._first = batch[0]
        for piece, answer in zip(batch, found, strict=True):
            self._place(piece, answer)
        if not self._call.keeps:
            return
        if self._matrix and all(kinds.kind_of(piece.given) is None for piece in batch):
            self._rows[start] = [piece.document.embedding for piece in batch]
        else:
            self._batches[start] = batch

    def all(self) -> Any:
        """What the verb gives back: ``None`` for callers who took the answers one by one."""
        if not self._call.keeps:
            return None
        if self._first is None:
            return self._nothing()
        if self._matrix and kinds.kind_of(self._first.given) is None:
            return self._stacked()
        documents = [
            piece.document for start in sorted(self._batches) for piece in self._batches[start]
        ]
        return self._first.kind.array(documents, self._call.content)

    def _nothing(self) -> Any:
        content = self._call.content
        if hasattr(content, "embeddings") or hasattr(content, "doc_type"):
            return type(content)()
        return np.empty((0, 0), np.float32) if self._matrix else DocumentArray()

    def _stacked(self) -> Any:
        for start, batch in self._batches.items():
            self._rows[start] = [piece.document.embedding for piece in batch]
        rows = [row for start in sorted(self._rows) for row in self._rows[start]]
        known = next((row for row in rows if row is not None), None)
        if known is None:
            return np.full((len(rows), 0), np.nan, np.float32)
        matrix = np.full((len(rows), len(known)), np.nan, np.float32)
        for place, row in enumerate(rows):
            if row is not None:
                matrix[place] = row
        return matrix
