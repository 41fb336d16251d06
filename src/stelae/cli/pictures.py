"""Pictures that commands bring along, to compare two engines on."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image

SHAPES = (
    (32, 32, "RGB"),
    (5, 5, "RGB"),
    (91, 17, "RGB"),
    (17, 301, "RGB"),
    (301, 33, "RGB"),
    (97, 61, "L"),
    (61, 97, "RGBA"),
    (73, 41, "P"),
    (768, 1025, "RGB"),
)
"""Height, width and mode: odd, tiny, tall, wide, grey, with alpha, with a palette, and large."""


def varied() -> dict[str, bytes]:
    """PNG files of noise by what they are, the same each time."""
    return {f"{w}x{h} {mode}": _file(h, w, mode) for h, w, mode in SHAPES}


def _file(height: int, width: int, mode: str) -> bytes:
    dice = np.random.default_rng(height * 10_000 + width)
    pixels = dice.integers(0, 256, (height, width, 4), dtype=np.uint8)
    file = BytesIO()
    image = Image.fromarray(pixels)
    image = image if mode == "RGBA" else image.convert("RGB")  # a palette gets no transparency
    image.convert(mode).save(file, "PNG")
    return file.getvalue()
