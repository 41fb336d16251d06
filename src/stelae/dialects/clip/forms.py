"""The two forms that documents come in, behind one small interface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from numpy.typing import NDArray

from stelae.errors import ErrorInfo
from stelae.types import Item

D = TypeVar("D")
"""A document: a message of protobuf, or a Struct read from JSON."""

Inner = Literal["chunks", "matches"]


@dataclass(frozen=True, slots=True)
class Link:
    """A picture that is only named by its address."""

    uri: str


Content = Item | Link | None


class Form(Protocol[D]):
    """Reads and writes the documents of one form, where they lie.

    Attributes:
        gaps: Whether a broken document among sound ones gets a vector of NaN.
    """

    gaps: bool

    def id(self, doc: D) -> str:
        """Its name."""
        ...

    def read(self, doc: D) -> Content:
        """What is to be encoded: the text, else the picture, else nothing.

        Raises:
            InvalidInput: What it holds cannot be read.
        """
        ...

    def inner(self, doc: D, kind: Inner) -> Sequence[D]:
        """Its chunks or matches."""
        ...

    def tags(self, doc: D) -> dict[str, Any]:
        """What the caller wrote on it."""
        ...

    def uri(self, doc: D) -> str:
        """Where it comes from; empty if nothing is said."""
        ...

    def mark_text(self, doc: D) -> None:
        """Say that it is a text."""
        ...

    def embed(self, docs: Sequence[D], rows: NDArray[Any]) -> None:
        """Give documents their vectors, shape ``(N, D)``."""
        ...

    def forget(self, doc: D) -> None:
        """Take its vector away."""
        ...

    def drop(self, doc: D) -> None:
        """Take its picture away; its address stays."""
        ...

    def blame(self, doc: D, error: ErrorInfo) -> None:
        """Say on it what is wrong with it."""
        ...

    def score(self, doc: D, name: str, value: float, operation: str) -> None:
        """Give it a score."""
        ...

    def order(self, doc: D, kind: Inner, places: Sequence[int]) -> None:
        """Put its chunks or matches into another order: first the one at ``places[0]``."""
        ...

    def mirror(self, doc: D) -> None:
        """Make its matches what its chunks are."""
        ...

    def made(self, found: Mapping[str, Any]) -> D:
        """A new document with some fields."""
        ...

    def match(self, doc: D, found: Mapping[str, Any]) -> D:
        """Add a match with some fields and return it."""
        ...

    def clear_matches(self, doc: D) -> None:
        """Take its matches away."""
        ...
