"""The colours of a picture: as its file has them, and as models read them."""

from __future__ import annotations

from PIL import Image

RESIZED = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV"})
"""Modes that Pillow can resize: palettes and single bits by the nearest pixel, transparent
ones weighted by how much is seen of a pixel."""


def rgb(image: Image.Image) -> Image.Image:
    """The picture in mode ``RGB``; transparency is dropped."""
    return image if image.mode == "RGB" else image.convert("RGB")
