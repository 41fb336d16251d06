"""Arrays of pixels in any usual form to one form."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stelae.errors import InvalidInput
from stelae.images.limits import LIMITS, Limits, check_size

SHAPES = "(H, W), (H, W, 1), (H, W, 3) or (H, W, 4)"


def from_array(array: NDArray[Any], limits: Limits = LIMITS) -> Image.Image:
    """A picture from an array.

    Args:
        array: Shape ``(H, W)`` or ``(H, W, 1)`` for grey, ``(H, W, 3)`` for red, green
            and blue, ``(H, W, 4)`` with transparency. Numbers are
            ``uint8``, ``bool``, or floats from 0 to 1.
        limits: How large it may be.

    Returns:
        The picture, in mode ``L``, ``RGB`` or ``RGBA``; in mode ``1`` if the numbers are
        ``bool`` and grey.

    Raises:
        InvalidInput: Its shape or its numbers are others, or it is too large.
    """
    planes = array[:, :, None] if array.ndim == 2 else array
    if planes.ndim != 3 or planes.shape[2] not in (1, 3, 4):
        raise _wrong_shape(array)
    height, width, channels = planes.shape
    check_size(width, height, limits, "the array has")
    pixels = _eight_bit(planes)
    image = Image.fromarray(np.ascontiguousarray(pixels[:, :, 0] if channels == 1 else pixels))
    return image.convert("1") if array.dtype == np.bool_ and channels == 1 else image


def _wrong_shape(array: NDArray[Any]) -> InvalidInput:
    first = array.ndim == 3 and array.shape[0] in (1, 3, 4)
    return InvalidInput(
        f"pixels has shape {array.shape}; {SHAPES} was expected",
        param="items",
        hint="put the colours last: pixels.transpose(1, 2, 0)" if first else None,
    )


def _eight_bit(planes: NDArray[Any]) -> NDArray[np.uint8]:
    if planes.dtype == np.uint8:
        return planes
    if planes.dtype == np.bool_:
        return planes.astype(np.uint8) * np.uint8(255)
    if not np.issubdtype(planes.dtype, np.floating):
        raise InvalidInput(
            f"pixels has numbers of the type {planes.dtype}; uint8, bool or floats from 0 to 1 "
            "were expected; scale them to 0..255 and use astype(numpy.uint8)",
            param="items",
        )
    low, high = float(planes.min()), float(planes.max())
    if not math.isfinite(low) or not math.isfinite(high):
        raise InvalidInput(
            "pixels has numbers that are not finite (nan or inf), which are no colours; 0 to 1 was "
            "expected; mend what made them",
            param="items",
        )
    if not 0 <= low <= high <= 1:
        raise InvalidInput(
            f"pixels has floats from {low:g} to {high:g}; 0 to 1 was expected; for 0..255 use "
            "astype(numpy.uint8)",
            param="items",
        )
    pixels: NDArray[np.uint8] = np.rint(planes.astype(np.float32) * 255).astype(np.uint8)
    return pixels
