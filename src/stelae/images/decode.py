"""Picture files to pixels: known formats, by their bytes, within limits.

Of an animation or a file of several pages the first one is read. A picture that a
camera stored turned (EXIF orientation) is turned upright. Colours are those of the file,
since a model says when they become red, green and blue; colour profiles are not applied,
as ``Image.open(file).convert("RGB")`` does in the libraries that models are trained with.
16-bit grey is scaled to 8 bits, where that would clip it.
"""

from __future__ import annotations

import re
import struct
import warnings
import zlib
from collections.abc import Callable
from io import BytesIO

import numpy as np
from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from stelae.errors import InvalidInput
from stelae.images.colours import RESIZED, rgb
from stelae.images.limits import LIMITS, Limits, check_size

FORMATS: tuple[tuple[re.Pattern[bytes], str, Callable[[BytesIO], ImageFile]], ...] = (
    (re.compile(rb"\xff\xd8\xff"), "JPEG", JpegImageFile),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "PNG", PngImageFile),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), "WebP", WebPImageFile),
    (re.compile(rb"GIF8[79]a"), "GIF", GifImageFile),
    (re.compile(rb"BM"), "BMP", BmpImageFile),
    (re.compile(rb"II[*+]\0|MM\0[*+]"), "TIFF", TiffImageFile),
)
"""How the files of a format start, its name, and its reader."""

NAMES = "JPEG, PNG, WebP, GIF, BMP and TIFF"

BROKEN = (
    ArithmeticError, AttributeError, EOFError, Image.DecompressionBombError, LookupError, OSError,
    RuntimeError, SyntaxError, TypeError, ValueError, Warning, struct.error, zlib.error,
)  # fmt: skip
"""What Pillow raises on files that are not what they say."""

warnings.filterwarnings("ignore", module=r"PIL\.")  # the sender is told, not the log

SCAN = b"\xff\xda"
"""Marker of a pass over the picture in a JPEG file."""

EIGHT_BIT = frozenset({
    "1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV",
})  # fmt: skip
SIXTEEN_BIT = frozenset({"I;16", "I;16B", "I;16L", "I;16N"})

ORIENTATION = 0x0112
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What undoes each EXIF orientation."""


def decode(data: bytes, limits: Limits = LIMITS, *, alpha: bool = False) -> Image.Image:
    """Read a picture file.

    Args:
        data: The file's bytes; what its name or label says is not looked at.
        limits: How large it may be.
        alpha: Whether a colour or a palette that the file calls transparent becomes a channel.

    Returns:
        The picture, in a mode of ``RESIZED``.

    Raises:
        InvalidInput: It is no picture of a known format, broken, or too large.
    """
    if len(data) > limits.file_bytes:
        raise InvalidInput(
            f"the picture's file has {len(data)} bytes, at most {limits.file_bytes} are read; "
            "make it smaller before sending it",
            param="items",
        )
    name, reader = _format(data)
    if name == "JPEG" and (scans := data.count(SCAN)) > limits.scans:
        raise InvalidInput(
            f"the JPEG file has {scans} scans, at most {limits.scans} are read; save it again",
            param="items",
        )
    try:
        if name in SIZES:
            check_size(*SIZES[name](data), limits)
        with reader(BytesIO(data)) as image:
            check_size(*image.size, limits)
            image.load()
            return _eight_bit(_shown(_upright(image), alpha=alpha), name)
    except BROKEN as error:
        reason = str(error) or type(error).__name__
        raise InvalidInput(
            f"the {name} file is cut off or broken ({reason}); send the whole file", param="items"
        ) from error


def pixels_of(data: bytes) -> int:
    """Width times height of a picture file by its header; 0 if it has none that can be read."""
    try:
        name, reader = _format(data)
        if name in SIZES:
            width, height = SIZES[name](data)
        else:
            with reader(BytesIO(data)) as image:
                width, height = image.size
    except (InvalidInput, *BROKEN):
        return 0
    return width * height


def _format(data: bytes) -> tuple[str, Callable[[BytesIO], ImageFile]]:
    for start, name, reader in FORMATS:
        if start.match(data):
            return name, reader
    raise InvalidInput(
        f"{_described(data)}, which is no picture of a known format; {NAMES} are read",
        param="items",
        hint="send the bytes of the picture's file, not its path, address or base64 text",
    )


def _described(data: bytes) -> str:
    if not data:
        return "the picture has 0 bytes"
    return f"the picture has {len(data)} bytes that start with {data[:12]!r}"


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height from the first chunk.

    Source:
        RFC 9649, sections 2.6 and 2.7.
    """
    chunk = data[12:16]
    if chunk == b"VP8X" and len(data) >= 30:
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if chunk == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack("<HH", data[26:30])
        return width & 0x3FFF, height & 0x3FFF
    if chunk == b"VP8L" and data[20:21] == b"\x2f":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    raise ValueError("it has no picture header")


def _png_size(data: bytes) -> tuple[int, int]:
    """Width and height from the first chunk.

    Source:
        PNG specification (third edition), section 11.2.1.
    """
    if data[12:16] != b"IHDR" or len(data) < 24:
        raise ValueError("it has no picture header")
    width, height = struct.unpack(">II", data[16:24])
    return width, height


SIZES: dict[str, Callable[[bytes], tuple[int, int]]] = {"PNG": _png_size, "WebP": _webp_size}
"""Sizes told before the reader opens a file: that of WebP then takes memory for the whole
picture, and that of PNG does not know a file whose picture has no pixels."""


def _upright(image: Image.Image) -> Image.Image:
    try:
        turn = UPRIGHT.get(image.getexif().get(ORIENTATION, 1))
    except BROKEN:  # the notes of the camera are broken, not the picture
        return image
    return image if turn is None else image.transpose(turn)


def _shown(image: Image.Image, *, alpha: bool) -> Image.Image:
    """The same, with what its file says of transparency as a channel, or without."""
    if alpha and "transparency" in image.info:
        return image.convert("RGBA")
    image.info.pop("transparency", None)  # Pillow warns when a conversion drops it
    return image


def _eight_bit(image: Image.Image, name: str) -> Image.Image:
    if image.mode in SIXTEEN_BIT:
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode not in EIGHT_BIT:
        raise InvalidInput(
            f"the {name} file has pixels of the kind {image.mode!r}, which is not read; "
            "save it with 8 bits per channel",
            param="items",
        )
    return image if image.mode in RESIZED else rgb(image)
