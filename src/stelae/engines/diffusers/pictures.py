"""Files of pictures: those that are given, and those that are made."""

from __future__ import annotations

from io import BytesIO

from PIL import Image

from stelae.errors import InvalidInput
from stelae.images.decode import decode
from stelae.types import ImageFormat

OPTIONS: dict[ImageFormat, dict[str, object]] = {
    ImageFormat.PNG: {"compress_level": 4},
    ImageFormat.JPEG: {"quality": 95, "subsampling": 0},
    ImageFormat.WEBP: {"quality": 95},
}
"""How each format is written."""


def read(data: bytes, param: str, mode: str = "RGB") -> Image.Image:
    """A picture that was given.

    Args:
        data: Bytes of its file.
        param: Which it is, for messages.
        mode: Its colours.

    Raises:
        InvalidInput: It cannot be read.
    """
    try:
        return decode(data).convert(mode)
    except InvalidInput as error:
        raise InvalidInput(f"{param}: {error.message}", param=param, hint=error.hint) from error


def write(image: Image.Image, form: ImageFormat) -> bytes:
    """The file of a picture."""
    file = BytesIO()
    image.save(file, form.value, **OPTIONS[form])
    return file.getvalue()
