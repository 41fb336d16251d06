"""What is read and what is written: one record in, one row out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from numpy.typing import NDArray

from stelae.errors import ErrorInfo, InvalidInput

Id = str | int
Embedding = NDArray[Any] | dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Record:
    """One item of the input.

    Attributes:
        text: What to embed; ``None`` when ``error`` is set.
        id: The input's own name for the item, if it has one.
        error: Why the item cannot be embedded; its neighbours are unharmed.
    """

    text: str | None
    id: Id | None = None
    error: ErrorInfo | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the output.

    Attributes:
        index: Position in the input, from 0.
        id: The input's own name for the item, if it has one.
        embedding: A vector, shape ``(D,)``; the ``indices`` and ``values`` of terms; or
            token vectors, shape ``(T, D)``. ``None`` when ``error`` is set.
        tokens: Tokens run.
        truncated: Whether the text was cut.
        error: Why there is no embedding.
    """

    index: int
    id: Id | None
    embedding: Embedding | None
    tokens: int = 0
    truncated: bool = False
    error: ErrorInfo | None = None


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What every vector of a job looks like, and what made it.

    Attributes:
        width: Numbers per vector; 0 for terms.
        dtype: ``float32`` or ``float16``.
        model: Name of the model.
        fingerprint: Identifies what is served.
    """

    width: int
    dtype: str
    model: str
    fingerprint: str


def unreadable(message: str, id: Id | None = None) -> Record:
    """A record that is known not to be an item before it is sent."""
    return Record(None, id, InvalidInput(message).info)
