"""A call to extract from pictures, on its way through an engine: one entry per item."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray
from PIL import Image

from stelae.engines.base import AnyBatchEngine, Prepared
from stelae.engines.extract.batches import alike
from stelae.engines.text.pictures import CALL_PIXELS, Allowance, is_picture, opened
from stelae.errors import InvalidInput, ModelLoadFailed, StelaeError
from stelae.images.colours import rgb
from stelae.types import ExtractCall, Extraction, ExtractResult, Item, Usage

F = TypeVar("F")
R = TypeVar("R")
Row = TypeVar("Row", contravariant=True)
A = TypeVar("A", bound=Hashable)

SIDE = 64
"""Height and width of the picture that a model is warmed up with."""

LARGEST = 2**26
"""Most numbers of pixels that run together."""


@dataclass(slots=True)
class Seen(Generic[A]):
    """One picture, ready to run.

    Attributes:
        pixels: Shape ``(3, H, W)``, of the size that the model reads.
        size: Width and height of the picture as it was given, in pixels.
        asked: What the call wants of it.
    """

    pixels: NDArray[Any]
    size: tuple[int, int]
    asked: A

    def drop(self) -> None:
        """Let the pixels go once they have run; a call keeps its entries until it is answered."""
        self.pixels = np.empty((3, 0, 0), np.uint8)


def in_groups(
    batch: Sequence[Seen[A]], run: Callable[[Sequence[Seen[A]]], Sequence[R]], *, alone: bool
) -> list[R]:
    """Run a batch, pictures of one size of which the same is asked together.

    Nothing is filled up: a neighbour would change the numbers.

    Args:
        batch: The pictures.
        run: Runs some of them; a row for each.
        alone: Whether each runs alone.

    Returns:
        A row for each picture, in order.
    """
    rows: dict[int, R] = {}
    for indices in alike(
        batch,
        key=lambda seen: (seen.pixels.shape, seen.asked),
        length=lambda _: 0,
        most=lambda seen: max(1, LARGEST // seen.pixels.size),
        alone=alone,
    ):
        rows |= dict(zip(indices, run([batch[i] for i in indices]), strict=True))
    for seen in batch:  # only now: a batch that fails is run again in halves
        seen.drop()
    return [rows[i] for i in range(len(batch))]


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

    def cut(self, row: Row) -> bool:
        """Whether there would have been more."""
        ...


class PictureJob(Generic[F, R]):
    """One entry per item, which must be a picture.

    Args:
        call: What is asked; it has been checked.
        reading: How pictures are read.
        model: Name of the model.
        fingerprint: What is served.
        pixels: Most of them in all pictures of the call.
    """

    light = False

    def __init__(
        self,
        call: ExtractCall,
        reading: Reading[F, R],
        model: str,
        fingerprint: str,
        pixels: int = CALL_PIXELS,
    ) -> None:
        self._items, self._reading = call.items, reading
        self._allowance = Allowance(pixels)
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
        if (refusal := self._allowance.refusal(item)) is not None:
            return Prepared(None, error=refusal)
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
            truncated=np.array(
                [not isinstance(row, StelaeError) and self._reading.cut(row) for row in rows],
                np.bool_,
            ),
            errors={i: error.info for i, error in errors.items()},
            usage=Usage(tokens=int(tokens.sum())),
        )

    def _found(self, entry: Prepared[F], row: R | StelaeError) -> Extraction:
        if isinstance(row, StelaeError) or entry.features is None:
            return Extraction()
        return self._reading.gather(entry.features, row)


def warm_up(engine: AnyBatchEngine, call: ExtractCall) -> None:
    """Run once, so that the first caller does not pay for what torch sets up lazily.

    Args:
        engine: Which looks at pictures.
        call: What to ask; a black picture takes the place of its items.

    Raises:
        ModelLoadFailed: It cannot look at a plain picture.
    """
    plain = Item(pixels=np.zeros((SIDE, SIDE, 3), np.uint8))
    (ready,) = engine.open(replace(call, items=[plain])).prepare(0, 1)
    if ready.error is not None:
        raise ModelLoadFailed(
            f"model {call.model!r} cannot look at a plain picture: {ready.error.message}"
        )
    engine.run([ready.features])


def opened_picture(item: Item) -> Image.Image:
    """The picture of an item, in mode ``RGB``.

    Raises:
        InvalidInput: It has none, or one that cannot be read.
    """
    if not is_picture(item):
        raise InvalidInput(
            "for this model an item needs image or pixels: it looks at pictures only", param="items"
        )
    return rgb(opened(item))
