"""A call to extract from pictures, on its way through an engine: one entry per item."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

import numpy as np
from PIL import Image

from stelae.engines.base import Prepared
from stelae.engines.text.pictures import is_picture, opened
from stelae.errors import InvalidInput, StelaeError
from stelae.types import ExtractCall, Extraction, ExtractResult, Item, Usage

F = TypeVar("F")
R = TypeVar("R")
Row = TypeVar("Row", contravariant=True)


class Reading(Protocol[F, Row]):
    """How one engine reads the pictures of one call.

    Attributes:
        cost: Tokens of a picture and what stands beside it, at most.
    """

    cost: int

    def read(self, image: Image.Image) -> Prepared[F]:
        """The entry of a picture.

        Raises:
            StelaeError: It cannot be run.
        """
        ...

    def gather(self, features: F, row: Row) -> Extraction:
        """What the picture holds."""
        ...


class PictureJob(Generic[F, R]):
    """One entry per item, which must be a picture.

    Args:
        call: What is asked; it has been checked.
        reading: How pictures are read.
        model: Name of the model.
        fingerprint: What is served.
    """

    light = False

    def __init__(
        self, call: ExtractCall, reading: Reading[F, R], model: str, fingerprint: str
    ) -> None:
        self._items, self._reading = call.items, reading
        self._model, self._fingerprint = model, fingerprint

    @property
    def size(self) -> int:
        return len(self._items)

    @property
    def estimate(self) -> int:
        return self.size * self._reading.cost

    def prepare(self, start: int, stop: int) -> list[Prepared[F]]:
        return [self._entry(item) for item in self._items[start:stop]]

    def _entry(self, item: Item) -> Prepared[F]:
        try:
            return self._reading.read(opened_picture(item))
        except StelaeError as error:
            return Prepared(None, error=error)

    def finish(
        self, prepared: Sequence[Prepared[F]], rows: Sequence[R | StelaeError]
    ) -> ExtractResult:
        errors = {i: row for i, row in enumerate(rows) if isinstance(row, StelaeError)}
        tokens = np.array(
            [0 if i in errors else p.tokens for i, p in enumerate(prepared)], np.int32
        )
        return ExtractResult(
            model=self._model,
            fingerprint=self._fingerprint,
            items=tuple(map(self._found, prepared, rows)),
            tokens=tokens,
            truncated=np.zeros(len(rows), np.bool_),
            errors={i: error.info for i, error in errors.items()},
            usage=Usage(tokens=int(tokens.sum())),
        )

    def _found(self, entry: Prepared[F], row: R | StelaeError) -> Extraction:
        if isinstance(row, StelaeError) or entry.features is None:
            return Extraction()
        return self._reading.gather(entry.features, row)


def opened_picture(item: Item) -> Image.Image:
    """The picture of an item, in mode ``RGB``.

    Raises:
        InvalidInput: It has none, or one that cannot be read.
    """
    if not is_picture(item):
        raise InvalidInput(
            "for this model an item needs image or pixels: it looks at pictures only", param="items"
        )
    return opened(item)
