"""What is read and what is written: one record in, one row out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from numpy.typing import NDArray

from stelae.cli.options import OutputTypeName
from stelae.errors import ErrorInfo, InvalidInput
from stelae.types import Quantization

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
        reading: How to read the embedding if it is in whole numbers: a scale and a zero,
            for token vectors one of each.
    """

    index: int
    id: Id | None
    embedding: Embedding | None
    tokens: int = 0
    truncated: bool = False
    error: ErrorInfo | None = None
    reading: Quantization | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of the embedding."""
        made = self.embedding
        if made is None:
            return 0
        return sum(part.nbytes for part in (made.values() if isinstance(made, dict) else (made,)))


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What every vector of a job looks like, and what made it.

    Attributes:
        width: Numbers per vector as they are written; 0 for terms.
        dtype: Their format, as NumPy names it.
        kind: Kind of representation.
        scaled: Whether each vector comes with a scale and a zero to read it by.
        dimensions: Numbers of a vector if they are bits, eight to each one written.
        model: Name of the model.
        fingerprint: Identifies what is served.
    """

    width: int
    dtype: str
    kind: OutputTypeName = "dense"
    scaled: bool = False
    dimensions: int | None = None
    model: str
    fingerprint: str

    @property
    def scales(self) -> tuple[str, ...]:
        """Names of what stands beside each vector: ``x = q * scale + zero``."""
        return ("scale", "zero") if self.scaled else ()


def unreadable(message: str, id: Id | None = None) -> Record:
    """A record that is known not to be an item before it is sent."""
    return Record(None, id, InvalidInput(message).info)
