"""From pictures to pixels ready to run: read, resized, cut."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stelae.catalog.spec import Vision
from stelae.engines.text.features import DENSE, Features
from stelae.errors import InvalidInput
from stelae.images.arrays import from_array
from stelae.images.decode import decode, pixels_of
from stelae.images.limits import LIMITS, Limits
from stelae.images.preprocess import fit, patches
from stelae.images.processing import PatchBudget
from stelae.images.scaling import signed
from stelae.types import Item, OutputType, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureFeatures(Features):
    """One picture, ready to run; ``ids`` means nothing but how many tokens it has.

    Attributes:
        patches: Pixels as signed bytes, shape ``(rows * columns, side * side * 3)``.
        grid: Rows and columns of patches.
    """

    patches: NDArray[np.int8]
    grid: tuple[int, int]

    def drop(self) -> None:
        """Let the pixels go once they have run; a call keeps its entries until it is answered."""
        object.__setattr__(self, "patches", NOTHING)


NOTHING = np.empty((0, 0), np.int8)


CALL_PIXELS = 512_000_000
"""Pixels of all pictures of a call: some seconds of work."""

OPEN_PIXELS = 128_000_000
"""Pixels that are open at a time: half a gigabyte as Pillow keeps them."""


class Space:
    """Lets only so many pixels be open at a time, since a small file may hold many.

    Args:
        pixels: So many, but at least one picture.
    """

    def __init__(self, pixels: int = OPEN_PIXELS) -> None:
        self._most, self._open = pixels, 0
        self._freed = threading.Condition()

    @contextmanager
    def taken(self, pixels: int) -> Iterator[None]:
        """Wait until there is space, and hold it."""
        with self._freed:
            self._freed.wait_for(lambda: not self._open or self._open + pixels <= self._most)
            self._open += pixels
        try:
            yield
        finally:
            with self._freed:
                self._open -= pixels
                self._freed.notify_all()


SPACE = Space()


class PictureIntake:
    """Reads pictures, resized and cut, for a tower on packed patches.

    Args:
        vision: How it reads them.
        side: Side of a patch in pixels.
        own: Tokens that the tower puts before the patches.
        limits: How large a picture may be.

    Attributes:
        tokens: Tokens of a picture, at most.
        together: Whether several threads may read at a time.
    """

    together = True

    def __init__(self, vision: Vision, side: int, own: int, limits: Limits = LIMITS) -> None:
        self.processing, self._side, self._own, self._limits = vision.processing, side, own, limits
        resize = self.processing.resize
        if isinstance(resize, PatchBudget):
            self.tokens = own + resize.most
        else:
            height, width = self.processing.size or (0, 0)
            self.tokens = self._tokens(height, width)

    def read(
        self, item: Item, outputs: tuple[OutputType, ...] = DENSE, role: Role | None = None
    ) -> PictureFeatures | InvalidInput:
        """The picture of an item, or why it cannot be read."""
        try:
            with SPACE.taken(pixels_in(item)):
                pixels = fit(opened(item, self._limits), self.processing, self._limits)
        except InvalidInput as error:
            return error
        cut = signed(patches(pixels, self._side))
        grid = (pixels.shape[0] // self._side, pixels.shape[1] // self._side)
        ids = np.zeros(self._own + len(cut), np.int32)
        return PictureFeatures(ids, outputs=outputs, role=role, patches=cut, grid=grid)

    def _tokens(self, height: int, width: int) -> int:
        return self._own + (height // self._side) * (width // self._side)


class Allowance:
    """Pixels that may be read for one call: a small file may hold many.

    Args:
        pixels: So many in all.
    """

    def __init__(self, pixels: int = CALL_PIXELS) -> None:
        self._most, self._left = pixels, pixels

    def refusal(self, item: Item) -> InvalidInput | None:
        """Count an item's picture; why it is too much, if it is.

        A picture that is too large by itself is refused where it is opened, and takes
        nothing from the others.
        """
        pixels = pixels_in(item)
        if pixels > LIMITS.pixels:
            return None
        if pixels <= self._left:
            self._left -= pixels
            return None
        return InvalidInput(
            f"the pictures of the call up to this one have over {self._most / 1e6:.0f} million "
            "pixels; send fewer at a time, or smaller ones",
            param="items",
        )


def pixels_in(item: Item) -> int:
    """Width times height of an item's picture, before it is opened; 0 if it is none."""
    if item.image is not None:
        return pixels_of(item.image)
    shape = () if item.pixels is None else item.pixels.shape
    return prod(shape[:2]) if len(shape) > 1 else 0


def opened(item: Item, limits: Limits = LIMITS) -> Image.Image:
    """The picture of an item, in the colours that it is given in.

    Raises:
        InvalidInput: It cannot be read.
    """
    if item.image is not None:
        return decode(item.image, limits)
    if item.pixels is None:
        raise InvalidInput("the item has no picture; give image or pixels", param="items")
    return from_array(item.pixels, limits)


def is_picture(item: Item) -> bool:
    """Whether an item is a picture."""
    return item.image is not None or item.pixels is not None
