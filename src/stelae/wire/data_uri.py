"""Data URIs: addresses that hold their own content, ``data:image/png;base64,...``."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import unquote, unquote_to_bytes

from stelae.errors import InvalidInput

START, PICTURE, SOUND = "data:", "data:image/", "data:audio/"
SHOWN = 40
"""Letters of an address that a message shows."""


def is_data(text: str) -> bool:
    """Whether an address holds its own content."""
    return text[: len(START)].lower() == START


def is_picture(text: str) -> bool:
    """Whether that is a picture."""
    return text[: len(PICTURE)].lower() == PICTURE and "," in text


def is_sound(text: str) -> bool:
    """Whether that is a recording."""
    return text[: len(SOUND)].lower() == SOUND and "," in text


def content(text: str) -> bytes:
    """What a data URI holds.

    Raises:
        InvalidInput: It is none.

    Source:
        RFC 2397.
    """
    head, comma, data = text.partition(",")
    if not (comma and is_data(head)):
        raise InvalidInput(f"{text[:SHOWN]!r}... is no data URI", hint="data:image/png;base64,...")
    if not head.lower().endswith(";base64"):
        return unquote_to_bytes(data)
    try:
        return base64.b64decode("".join(unquote(data).split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput(f"{text[:SHOWN]!r}... does not hold base64: {error}") from None


def written(data: bytes, media: str) -> str:
    """The data URI of some content.

    Args:
        data: The content.
        media: Its media type.
    """
    return f"{START}{media};base64,{base64.b64encode(data).decode()}"
