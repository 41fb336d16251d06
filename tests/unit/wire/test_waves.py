"""WAV files that were sent before their length was known, read by Python's own ``wave``."""

from __future__ import annotations

import io
import struct
import wave

import pytest

from stelae.wire.waves import ENDLESS, ended


def made(frames: int, more: bytes = b"") -> bytes:
    """A WAV file; ``more`` is a chunk before the samples."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes(bytes(range(2)) * frames)
    data = file.getvalue()
    return data[:36] + more + data[36:]


def endless(data: bytes) -> bytes:
    at = data.index(b"data") + 4
    head = data[:4] + struct.pack("<I", ENDLESS) + data[8:at] + struct.pack("<I", ENDLESS)
    return head + data[at + 4 :]


@pytest.mark.parametrize("more", [b"", b"LIST\x03\x00\x00\x00abc\x00"], ids=["plain", "noted"])
@pytest.mark.parametrize("frames", [0, 1, 1000])
def test_length_is_what_came(frames: int, more: bytes) -> None:
    file = ended(endless(made(frames, more)))
    with wave.open(io.BytesIO(file)) as sound:
        assert sound.getnframes() == frames
        assert sound.readframes(frames) == bytes(range(2)) * frames
    assert struct.unpack_from("<I", file, 4)[0] == len(file) - 8


@pytest.mark.parametrize(
    "file", [made(10), b"", b"ID3", b"RIFF", b"RIFF\xff\xff\xff\xffWAVEfmt ", b"RIFFabcdWEBP"]
)
def test_other_files_stay_as_they_are(file: bytes) -> None:
    assert ended(file) == file
