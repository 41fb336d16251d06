"""Pixels to the numbers that a model reads, equal to the reference processors.

Source: transformers 5.17, ``image_processing_backends.py`` (``PilBackend``) and
``models/siglip2/image_processing_pil_siglip2.py``.
"""

from __future__ import annotations

from math import ceil, prod
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stelae.images import middle
from stelae.images.colours import rgb
from stelae.images.limits import LIMITS, Limits, check_size
from stelae.images.processing import Exact, PatchBudget, Processing, ShortestEdge

Pixels = NDArray[np.uint8]
"""Red, green and blue of each pixel, shape ``(H, W, 3)``."""

Picture = NDArray[np.float32]
"""What a model reads, shape ``(H, W, 3)``."""

LONG = 8_000_000
"""Pixels from which on only the middle is resized, if no more is kept: that of a picture 160
times as long as wide, for a model that reads 224 x 224."""

N = TypeVar("N", np.uint8, np.float32)


def preprocess(image: Image.Image, processing: Processing, limits: Limits = LIMITS) -> Picture:
    """All steps on one picture, shape ``(H', W', 3)``; as ``fit``, then ``normalize``."""
    return normalize(fit(image, processing, limits), processing)


def fit(image: Image.Image, processing: Processing, limits: Limits = LIMITS) -> Pixels:
    """Resize and crop one picture.

    Args:
        image: In any mode of ``RESIZED``.
        processing: The steps.
        limits: How large it may become on the way.

    Returns:
        Red, green and blue, shape ``(H', W', 3)``.

    Raises:
        InvalidInput: It would become too large.
    """
    width, height = _size(image, processing)
    check_size(width, height, limits, "resized as the model wants, the picture has")
    if not processing.as_stored:
        image = rgb(image)
    return np.asarray(rgb(_sized(image, (width, height), processing)))


def _sized(image: Image.Image, whole: tuple[int, int], processing: Processing) -> Image.Image:
    kind, even = Image.Resampling(processing.resample), processing.even
    if processing.crop is None:
        return image if whole == image.size else image.resize(whole, kind)
    size = (processing.crop[1], processing.crop[0])
    if prod(whole) > LONG and whole[0] >= size[0] and whole[1] >= size[1] and whole != image.size:
        return middle.resized(image, whole, size, kind, even=even)
    image = image if whole == image.size else image.resize(whole, kind)
    return middle.cropped(rgb(image), size, even=even)


def normalize(pixels: Pixels, processing: Processing) -> Picture:
    """Scale and normalise pixels.

    Args:
        pixels: Shape ``(H, W, 3)``.
        processing: The steps.
    """
    table = _table(processing)
    return np.stack([table[c][pixels[:, :, c]] for c in range(3)], axis=2)


def patches(picture: NDArray[N], side: int) -> NDArray[N]:
    """Cut a picture into squares, row by row; what is left over at the edges is dropped.

    Args:
        picture: Shape ``(H, W, 3)``.
        side: Side of a square.

    Returns:
        Shape ``(N, side * side * 3)``: each row of a square after the other, colours last.
    """
    rows, columns = picture.shape[0] // side, picture.shape[1] // side
    whole = picture[: rows * side, : columns * side]
    squares = whole.reshape(rows, side, columns, side, 3).swapaxes(1, 2)
    return np.ascontiguousarray(squares).reshape(rows * columns, side * side * 3)


def _size(image: Image.Image, processing: Processing) -> tuple[int, int]:
    """Width and height after resizing."""
    width, height = image.size
    match processing.resize:
        case ShortestEdge(length):
            other = int(length * max(height, width) / min(height, width))
            return (length, other) if width <= height else (other, length)
        case Exact():
            return processing.resize.width, processing.resize.height
        case PatchBudget():
            return _fitted(width, height, processing.resize)
        case None:
            return width, height


def _fitted(width: int, height: int, budget: PatchBudget) -> tuple[int, int]:
    """The largest scale at which the picture has no more patches than allowed, by bisection."""
    side, low, high = budget.patch, 1e-6, 100.0
    while high - low >= 1e-5:
        middle = (low + high) / 2
        fits = _steps(width, middle, side) * _steps(height, middle, side) <= budget.most
        low, high = (middle, high) if fits else (low, middle)
    return _steps(width, low, side) * side, _steps(height, low, side) * side


def _steps(length: int, scale: float, patch: int) -> int:
    return max(1, ceil(length * scale / patch))


def _table(processing: Processing) -> NDArray[np.float32]:
    """What becomes of each of the 256 values of red, green and blue, shape ``(3, 256)``."""
    values = np.arange(256, dtype=np.float64)
    scaled = (values if processing.scale is None else values * processing.scale).astype(np.float32)
    table = np.repeat(scaled[None], 3, axis=0)
    if processing.mean is not None and processing.std is not None:
        mean, std = (np.array(v, np.float32)[:, None] for v in (processing.mean, processing.std))
        table = (table - mean) / std
    return table
