"""Pictures to what a model of transformers reads, by the library's own processors.

Pictures that wait for the device are kept in 8 bits where the library makes them so
before it normalises them: a quarter of the memory.

Source: transformers 5.17, ``image_processing_backends.py`` (``PilBackend``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from torch import Tensor

from stelae.catalog.files import Json
from stelae.engines.extract.loading import LIBRARY_ERRORS
from stelae.errors import InvalidInput, ModelLoadFailed
from stelae.images.limits import LIMITS, Limits, check_size
from stelae.images.preprocess import normalize
from stelae.images.processing import Processing

SQUARED = ("do_rescale", "do_pad", "do_resize", "do_normalize")
"""Steps that OWLv2's processor takes; another choice of them is left to the library."""


class Processor:
    """Reads pictures for one model.

    Args:
        options: Of the library's class, its name among them.
        limits: How large a picture may become on the way.

    Raises:
        ModelLoadFailed: The library cannot do with the options.
    """

    def __init__(self, options: Json, limits: Limits = LIMITS) -> None:
        self._limits = limits
        name = str(options["image_processor_type"])
        try:
            self._library = getattr(transformers, f"{name}Pil").from_dict(dict(options))
        except LIBRARY_ERRORS as error:
            raise ModelLoadFailed(
                f"transformers has no processor of these options: {error}"
            ) from error
        self._square = name == "Owlv2ImageProcessor"
        self._resize: Callable[[Image.Image], NDArray[Any]] = self._by_library
        if self._square and all(getattr(self._library, step) for step in SQUARED):
            self._resize = self._squared
        self._edge = _thumb(self._library) if name == "DonutImageProcessor" else 0
        self._last = None if self._square else _last_steps(self._library)

    def read(self, image: Image.Image) -> NDArray[Any]:
        """Resized and cut, shape ``(3, H, W)``; of 8 bits if it is yet to be normalised.

        Raises:
            InvalidInput: The picture is too long and narrow, or would become too large.
        """
        self._check(*image.size)
        try:
            return self._resize(image)
        except ValueError as error:  # a side of no pixels; all else was looked at before
            width, height = image.size
            raise InvalidInput(
                f"the picture has {width} x {height} pixels; resized as the model wants, one side "
                "would have none; give a part of it that is less narrow",
                param="items",
            ) from error

    def _by_library(self, image: Image.Image) -> NDArray[Any]:
        late = {} if self._last is None else {"do_rescale": False, "do_normalize": False}
        read = self._library(images=image, return_tensors="np", **late)
        pixels: NDArray[Any] = read["pixel_values"][0]
        return pixels

    def _squared(self, image: Image.Image) -> NDArray[Any]:
        """As the library does for OWLv2, with a third of its memory."""
        size = self._library.size.height, self._library.size.width
        pixels = squared(image, size, self._library.rescale_factor)
        mean, std = (
            np.array(values, np.float32)[:, None, None]
            for values in (self._library.image_mean, self._library.image_std)
        )
        normal: NDArray[Any] = (pixels - mean) / std
        return normal

    def _check(self, width: int, height: int) -> None:
        """Refuse pictures that would take far more memory on the way than at its end."""
        if self._square:
            side = max(width, height)
            check_size(side, side, self._limits, "filled up to a square, the picture has")
        if self._edge:
            scale = self._edge / min(width, height)
            size = int(width * scale), int(height * scale)
            check_size(*size, self._limits, "resized as the model wants, the picture has")

    def frame(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of what the model sees, in pixels of a picture of this size."""
        return (max(width, height),) * 2 if self._square else (width, height)

    def tensor(self, pixels: NDArray[Any]) -> Tensor:
        """What the model reads, shape ``(3, H, W)``."""
        if self._last is None:
            return torch.from_numpy(pixels.astype(np.float32))
        read = normalize(np.ascontiguousarray(pixels.transpose(1, 2, 0)), self._last)
        return torch.from_numpy(np.ascontiguousarray(read.transpose(2, 0, 1)))


def squared(image: Image.Image, size: tuple[int, int], scale: float) -> NDArray[np.float32]:
    """Fill a picture up with black to a square, and resize it by blurring and interpolation.

    One colour is worked on at a time: a picture of 64 million pixels takes 2.4 GB otherwise.

    Args:
        image: In mode ``RGB``.
        size: Height and width that it gets.
        scale: Factor on the pixels.

    Returns:
        Shape ``(3, H, W)``.

    Source:
        transformers 5.17, ``models/owlv2/image_processing_pil_owlv2.py``.
    """
    pixels = np.asarray(image)
    height, width, _ = pixels.shape
    side = max(height, width)
    table = (np.arange(256, dtype=np.float64) * scale).astype(np.float32)
    low, high = (table[int(value)] for value in (pixels.min(), pixels.max()))
    low = min(low, np.float32(0)) if height != width else low
    blur = [max(0.0, (side / length - 1) / 2) for length in size]
    made = np.empty((3, *size), np.float32)
    for colour in range(3):
        plane = np.zeros((side, side), np.float32)
        plane[:height, :width] = table[pixels[:, :, colour]]
        plane = ndimage.gaussian_filter(plane, blur, mode="mirror")
        zoom = [length / side for length in size]
        ndimage.zoom(plane, zoom, output=made[colour], order=1, mode="mirror", grid_mode=True)
    return made.clip(low, high)


def _thumb(library: Any) -> int:
    """The shorter side that every picture is first given, if there is that step."""
    return min(library.size.height, library.size.width) if library.do_resize else 0


def _last_steps(library: Any) -> Processing:
    """What is done to the pixels once they have their place."""
    return Processing(
        resize=None,
        scale=library.rescale_factor if library.do_rescale else None,
        mean=_three(library.image_mean) if library.do_normalize else None,
        std=_three(library.image_std) if library.do_normalize else None,
    )


def _three(value: Any) -> tuple[float, float, float]:
    red, green, blue = value
    return float(red), float(green), float(blue)
