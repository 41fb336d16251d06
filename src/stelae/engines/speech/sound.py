"""Samples to a file's bytes, as they come."""

from __future__ import annotations

import struct
from typing import Self

import numpy as np

from stelae.engines.speech.reader import Samples
from stelae.errors import InvalidInput
from stelae.types import AudioFormat

UNKNOWN = 0xFFFFFFFF
"""Length in the header of a file whose end is not known yet."""


class Writer:
    """Writes a file of one channel.

    Args:
        format: Of the file.
        rate: Samples per second.

    Raises:
        InvalidInput: The format is not implemented.
    """

    def __init__(self, format: AudioFormat, rate: int) -> None:
        if format not in (AudioFormat.WAV, AudioFormat.PCM):
            raise InvalidInput(f"format={format}: choose wav or pcm", param="format")
        self._head = _header(rate) if format is AudioFormat.WAV else b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def add(self, samples: Samples) -> bytes:
        """More bytes of the file."""
        head, self._head = self._head, b""
        return head + (np.clip(samples, -1, 1) * 32767).round().astype("<i2").tobytes()

    def end(self) -> bytes:
        """The rest of it."""
        return b""


def _header(rate: int) -> bytes:
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    head = struct.pack("<4sI4s", b"RIFF", UNKNOWN, b"WAVE")
    return head + form + struct.pack("<4sI", b"data", UNKNOWN)
