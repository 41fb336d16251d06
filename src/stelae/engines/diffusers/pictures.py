"""Files of pictures: those that are given, and those that are made."""

from __future__ import annotations

from io import BytesIO

from PIL import Image, ImageOps

from stelae.errors import InvalidInput
from stelae.images.decode import decode
from stelae.types import ImageFormat

OPTIONS: dict[ImageFormat, dict[str, object]] = {
    ImageFormat.PNG: {"compress_level": 4},
    ImageFormat.JPEG: {"quality": 95, "subsampling": 0},
    ImageFormat.WEBP: {"quality": 95},
}
"""How each format is written."""


def read(data: bytes, param: str) -> Image.Image:
    """A picture that was given, in red, green and blue.

    Args:
        data: Bytes of its file.
        param: Which it is, for messages.

    Raises:
        InvalidInput: It cannot be read.
    """
    return _decoded(data, param).convert("RGB")


def read_mask(data: bytes) -> Image.Image:
    """A mask, in grey: white is what is transparent in its file, or white where nothing is.

    Raises:
        InvalidInput: It cannot be read.

    Source:
        OpenAI's images API has masks that are transparent where the picture is made anew, those
        of diffusers are white there.
    """
    mask = _decoded(data, "mask", alpha=True)
    if "A" in mask.getbands():
        opaque = mask.getchannel("A")
        if opaque.getextrema() != (255, 255):
            return ImageOps.invert(opaque)
    return mask.convert("L")


def _decoded(data: bytes, param: str, *, alpha: bool = False) -> Image.Image:
    try:
        return decode(data, alpha=alpha)
    except InvalidInput as error:
        raise InvalidInput(f"{param}: {error.message}", param=param, hint=error.hint) from error


def write(image: Image.Image, form: ImageFormat) -> bytes:
    """The file of a picture."""
    file = BytesIO()
    image.save(file, form.value, **OPTIONS[form])
    return file.getvalue()
