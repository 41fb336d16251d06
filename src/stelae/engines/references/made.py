"""What a reference makes of one text, picture or pair."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from stelae.catalog.spec import Backbone, ModelSpec
from stelae.engines.sentence_transformers.loading import LIBRARY_ERRORS, quiet
from stelae.errors import NoReference
from stelae.types import Role

Vector = NDArray[np.float32]

Value = Vector | tuple[NDArray[np.int64], Vector]
"""A vector ``(D,)``, token vectors ``(T, D)``, scores ``(L,)``, or ids and weights of terms."""

FAILURES = (*LIBRARY_ERRORS, IndexError)


@dataclass(frozen=True, slots=True)
class Made:
    """What a reference made of one text, picture or pair.

    Attributes:
        value: Finite numbers; ``None`` if it failed.
        tokens: Tokens it ran, or patches.
    """

    value: Value | None
    tokens: int


class Reference(Protocol):
    """A model as somebody else reads it, asked for one thing at a time."""

    @property
    def name(self) -> str:
        """Who that is."""
        ...

    @property
    def two_sided(self) -> bool:
        """Whether it reads queries and documents differently."""
        ...

    @property
    def prompted(self) -> bool:
        """Whether a text of no side gets a prompt too."""
        ...

    def see(self, image: bytes) -> Made:
        """What it makes of a picture's file."""
        ...

    def hear(self, audio: bytes) -> Made:
        """What it makes of a recording's file."""
        ...

    def encode(self, text: str, role: Role | None) -> Made:
        """What it makes of a text on one side of a search, or of none."""
        ...

    def score(self, query: str, document: str, *, plain: bool) -> Made:
        """The scores of a pair, or the logits they come from."""
        ...


class Plain:
    """A reference that reads every text alike, and scores no pairs."""

    name = "formula"

    @property
    def two_sided(self) -> bool:
        """Whether it reads queries and documents differently."""
        return False

    @property
    def prompted(self) -> bool:
        """Whether a text of no side gets a prompt too."""
        return False

    def read(self, text: str) -> tuple[Any, int]:
        """Numbers of a text, and its tokens."""
        raise NotImplementedError

    def look(self, image: Image.Image) -> tuple[Any, int]:
        """Numbers of a picture, and its tokens."""
        raise NotImplementedError

    def listen(self, audio: bytes) -> tuple[Any, int]:
        """Numbers of a recording, and its tokens."""
        raise NotImplementedError

    def encode(self, text: str, role: Role | None) -> Made:
        """What it makes of a text."""
        del role
        return guarded(lambda: self.read(text))

    def see(self, image: bytes) -> Made:
        """What it makes of a picture's file."""
        return guarded(lambda: self.look(Image.open(BytesIO(image)).convert("RGB")))

    def hear(self, audio: bytes) -> Made:
        """What it makes of a recording's file."""
        return guarded(lambda: self.listen(audio))

    def score(self, query: str, document: str, *, plain: bool) -> Made:
        """Nothing: it reads no pairs."""
        del query, document, plain
        return Made(None, 0)


@torch.inference_mode()
def guarded(run: Callable[[], tuple[Any, int]]) -> Made:
    """What a function makes, if it does not fail and its numbers are finite."""
    try:
        with quiet():
            value, tokens = run()
    except FAILURES:
        return Made(None, 0)
    if isinstance(value, tuple):
        terms, weights = value[0], np.asarray(value[1], np.float32)
        return Made((terms, weights), tokens) if finite(weights) else Made(None, 0)
    numbers = np.atleast_1d(torch.as_tensor(value).float().cpu().numpy())
    return Made(numbers, tokens) if finite(numbers) else Made(None, 0)


def finite(numbers: Any) -> bool:
    """Whether all of them are."""
    return bool(np.isfinite(numbers).all())


def trunk_of(spec: ModelSpec) -> Backbone:
    """The transformer of a model.

    Raises:
        NoReference: It has a table in its place.
    """
    if isinstance(spec.backbone, Backbone):
        return spec.backbone
    raise missing(spec, "it is a table, where a transformer was expected")


def missing(spec: ModelSpec, reason: str) -> NoReference:
    """The error for a model that nobody reads."""
    return NoReference(f"model '{spec.name}' has no reference: {reason}")
