"""Pixels as signed bytes, and what is left to do to them: a factor and an offset per colour.

A tower's first layer multiplies anyway, so it takes the factor and the offset into its
weights. Around zero, bytes are exact in every number format, bf16 included.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stelae.images.processing import Processing

MIDDLE = 128
"""Taken from pixels, so that they fit a signed byte."""

Colours = list[float]
"""One number each for red, green and blue."""


def signed(pixels: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Pixels less ``MIDDLE``, of the same shape."""
    return (pixels ^ np.uint8(MIDDLE)).view(np.int8)


def scaling(processing: Processing) -> tuple[Colours, Colours]:
    """Factor on, and offset added to, signed bytes that ``normalize`` comes to."""
    scale = 1.0 if processing.scale is None else processing.scale
    mean, std = np.zeros(3), np.ones(3)
    if processing.mean is not None and processing.std is not None:
        mean, std = np.array(processing.mean), np.array(processing.std)
    return list(scale / std), list((MIDDLE * scale - mean) / std)
