"""From pictures to pixels ready to run: read, resized, cut."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stelae.catalog.spec import Vision
from stelae.engines.text.features import DENSE, AnyArray, Features
from stelae.errors import InvalidInput
from stelae.images.arrays import from_array
from stelae.images.decode import decode
from stelae.images.limits import LIMITS, Limits
from stelae.images.preprocess import Pixels, fit
from stelae.images.processing import PatchBudget
from stelae.types import Item, OutputType, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureFeatures(Features):
    """One picture, ready to run; ``ids`` means nothing but how many tokens it has.

    Attributes:
        pixels: Shape ``(H, W, 3)``, of the size that the tower reads.
    """

    pixels: Pixels

    def drop(self) -> None:
        """Let the pixels go once they have run; a call keeps its entries until it is answered."""
        object.__setattr__(self, "pixels", NOTHING)


NOTHING = np.empty((0, 0, 3), np.uint8)


class PictureIntake:
    """Reads pictures for one model.

    Args:
        vision: How it reads them.
        side: Side of a patch in pixels.
        own: Tokens that the tower puts before the patches.
        limits: How large a picture may be.

    Attributes:
        tokens: Tokens of a picture, at most.
    """

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
        """The picture of an item, or why it cannot be read.

        Args:
            item: With ``image`` or ``pixels``.
            outputs: What is wanted.
            role: The side it stands on.
        """
        try:
            pixels = self._pixels(item.image, item.pixels)
        except InvalidInput as error:
            return error
        height, width, _ = pixels.shape
        ids = np.zeros(self._tokens(height, width), np.int32)
        return PictureFeatures(ids, outputs=outputs, role=role, pixels=pixels)

    def _pixels(self, image: bytes | None, pixels: AnyArray | None) -> Pixels:
        if image is not None:
            return fit(decode(image, self._limits), self.processing, self._limits)
        if pixels is None:
            raise InvalidInput("the item has no picture; give image or pixels", param="items")
        return fit(from_array(pixels, self._limits), self.processing, self._limits)

    def _tokens(self, height: int, width: int) -> int:
        return self._own + (height // self._side) * (width // self._side)


def is_picture(item: Item) -> bool:
    """Whether an item is a picture."""
    return item.image is not None or item.pixels is not None
