"""What two sides make of the same texts: kinds of numbers, and rows of them."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from stelae.types import Item, Modality, OutputType, Role

Matrix = NDArray[np.floating[Any]]

Terms = tuple[NDArray[np.integer[Any]], NDArray[np.floating[Any]]]
"""Ids of terms, ascending, and their weights."""

Value = Matrix | Terms | None
"""A vector ``(D,)``, token vectors ``(T, D)``, scores ``(L,)``, or terms; ``None`` if it failed."""


class Kind(StrEnum):
    """Kinds of numbers that are compared."""

    DENSE = "dense"
    SPARSE = "sparse"
    MULTIVECTOR = "multivector"
    SCORES = "scores"
    LOGITS = "logits"

    @property
    def output(self) -> OutputType | None:
        """The kind of representation; ``None`` for numbers of pairs."""
        return None if self in (Kind.SCORES, Kind.LOGITS) else OutputType(self.value)


class Probe(msgspec.Struct, frozen=True):
    """What is compared: a kind of numbers, and the side of the search that texts stand on.

    Attributes:
        kind: The kind.
        role: The side; ``None`` for texts of no side, and for pairs.
        medium: What the model is given, where it reads more than texts.
    """

    kind: Kind
    role: Role | None = None
    medium: Modality | None = None

    @property
    def side(self) -> str:
        """The side as people read it."""
        if self.kind.output is None:
            return "pair"
        named = self.role or self.medium
        return named.value if named is not None else "any"


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """What one side made of the texts, or pairs, in order.

    Attributes:
        values: One per text.
        tokens: Tokens run for each.
    """

    values: list[Value]
    tokens: list[int]


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A query, and the documents that are scored against it."""

    query: str
    documents: list[str]


class Samples(msgspec.Struct, frozen=True, kw_only=True):
    """What both sides are asked.

    Attributes:
        texts: Texts.
        groups: Pairs, by query.
        images: PNG files, by what they are.
        sounds: WAV files, by what they hold.
    """

    texts: list[str]
    groups: list[Group]
    images: dict[str, bytes] = {}
    sounds: dict[str, bytes] = {}

    def items(self, probe: Probe) -> list[Item]:
        """What a probe of vectors is asked with."""
        if probe.medium is Modality.IMAGE:
            return [Item(image=file) for file in self.images.values()]
        if probe.medium is Modality.AUDIO:
            return [Item(audio=file) for file in self.sounds.values()]
        return [Item(text=text) for text in self.texts]

    def named(self, probe: Probe, index: int) -> str:
        """The text of a row, or the two of a pair, or what the picture or the recording is."""
        if probe.medium is Modality.IMAGE:
            return list(self.images)[index]
        if probe.medium is Modality.AUDIO:
            return list(self.sounds)[index]
        if probe.kind.output is not None:
            return self.texts[index]
        pairs = [(group.query, text) for group in self.groups for text in group.documents]
        return " | ".join(pairs[index])
