"""WAV files sent while they were made: their head is written before their length is known.

Source: Multimedia Programming Interface and Data Specifications 1.0 (1991), "Waveform".
"""

from __future__ import annotations

import struct

ENDLESS = 2**32 - 1
"""Size of what has no end yet; the largest that the head can tell."""

_HEAD, _CHUNK = 12, 8


def ended(file: bytes) -> bytes:
    """A file that is whole, with its length in its head; all other bytes stay as they are.

    Args:
        file: What was received; anything but an endless WAV file comes back unchanged.
    """
    if file[:4] != b"RIFF" or file[8:12] != b"WAVE" or len(file) > ENDLESS:
        return file
    start = _HEAD
    while start + _CHUNK <= len(file):
        name, size = struct.unpack_from("<4sI", file, start)
        if name == b"data":
            return _sized(file, start) if size == ENDLESS else file
        start += _CHUNK + size + size % 2
    return file


def _sized(file: bytes, start: int) -> bytes:
    whole = bytearray(file)
    struct.pack_into("<I", whole, 4, len(file) - 8)
    struct.pack_into("<I", whole, start + 4, len(file) - start - _CHUNK)
    return bytes(whole)
