"""Recordings as callers have them, told from pictures by what they are: pure."""

from __future__ import annotations

import os
import re
from pathlib import PurePath
from typing import Any

from stelae.client._pictures import BYTES, Deferred, embedded, file_size
from stelae.client._place import Place
from stelae.types import Item
from stelae.wire import data_uri

HEAD = 12
"""Bytes of a file that show what it is."""

BEGINS = re.compile(
    rb"RIFF....WAVE|RF64....WAVE|FORM....AIF[FC]|fLaC|OggS|ID3"
    rb"|\xff[\xe0-\xff]"  # a frame of MP3 or of AAC by itself; JPEG goes on with \xd8
    rb"|....ftyp(M4A|M4B|mp4|iso|dash)"
    rb"|\x1a\x45\xdf\xa3",  # Matroska and WebM
    re.DOTALL,
)
"""How files with recordings begin."""

SUFFIXES = frozenset({
    ".aac", ".aif", ".aiff", ".flac", ".m4a", ".m4b", ".mka", ".mp3", ".mp4", ".oga", ".ogg",
    ".opus", ".wav", ".wave", ".weba", ".webm",
})  # fmt: skip
"""How the names of their files end."""


def is_sound(value: object) -> bool:
    """Whether a value is a recording in one of its forms: bytes, a path, a data URI."""
    match value:
        case str():
            return data_uri.is_sound(value)
        case bytes() | bytearray() | memoryview():
            return BEGINS.match(bytes(value[:HEAD])) is not None
        case os.PathLike():
            return PurePath(os.fspath(value)).suffix.lower() in SUFFIXES
        case _:
            return False


def sound(value: Any, place: Place) -> tuple[Item, int]:
    """The item that a recording means, and its size in bytes.

    Raises:
        InvalidInput: There is no such file, the data URI holds none, or it is something else.
    """
    if isinstance(value, str) and data_uri.is_data(value):
        value = embedded(value, place)
    if isinstance(value, BYTES):
        return Item(audio=bytes(value)), len(value)
    if isinstance(value, os.PathLike):
        return Deferred(source=value, form="audio"), file_size(value, place)
    raise place.wrong(
        f"has an 'audio' of type {type(value).__name__}; give the bytes of a recording's file, a "
        "path (pathlib.Path) or a data URI"
    )
