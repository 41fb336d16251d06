"""What a sound file is, by its bytes; nothing here decodes."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass

from stelae.audio.limits import Limits, check_shape
from stelae.errors import InvalidInput

NAMES = "WAV, AIFF, FLAC, MP3, AAC, Ogg (Opus, Vorbis), MP4/M4A and WebM/Matroska"

TAGS = 16
"""Most ID3 tags that may stand before the sound."""

SYNC = b"\xff"


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file.

    Attributes:
        name: What people call it.
        demuxer: FFmpeg's name for what takes it apart.
    """

    name: str
    demuxer: str


WAV = Format("WAV", "wav")
MP3 = Format("MP3", "mp3")
AAC = Format("AAC", "aac")

STARTS: tuple[tuple[re.Pattern[bytes], Format], ...] = (
    (re.compile(rb"RIFF.{4}WAVE|RF64.{4}WAVE", re.DOTALL), WAV),
    (re.compile(rb"FORM.{4}AIF[FC]", re.DOTALL), Format("AIFF", "aiff")),
    (re.compile(rb"fLaC"), Format("FLAC", "flac")),
    (re.compile(rb"OggS"), Format("Ogg", "ogg")),
    (re.compile(rb".{4}ftyp", re.DOTALL), Format("MP4", "mov")),
    (re.compile(rb"\x1aE\xdf\xa3"), Format("WebM", "matroska")),
    (re.compile(rb"\xff[\xf0\xf1\xf8\xf9]"), AAC),
    (re.compile(rb"\xff[\xe2-\xef\xf2-\xf7\xfa-\xff]"), MP3),
)
"""How the files of a format start, and what they are.

Source: RFC 2361 and 3533, RFC 9639 section 8, ISO/IEC 14496-12 section 4.3, RFC 8794 section
11.2.1; ISO/IEC 11172-3 section 2.4.2.3 and 13818-7 section 6.2 for frames, whose two bits of
the layer are zero in AAC alone.
"""


def recognise(data: bytes) -> tuple[Format, int]:
    """Tell what a file is.

    Args:
        data: Its bytes; what its name or label says is not looked at.

    Returns:
        Its format, and where in the bytes it begins, after the tags of ID3.

    Raises:
        InvalidInput: It is none that is known.
    """
    begin = _after_tags(data)
    start = data[begin : begin + 16]
    for pattern, found in STARTS:
        if pattern.match(start):
            return found, begin
    if begin:  # tags stand before MP3 above all, and its first frame may be further on
        return MP3, begin
    raise InvalidInput(
        f"{_described(data)}, which is no recording of a known format; {NAMES} are read",
        param="audio",
        hint="send the bytes of the recording's file, not its path, address or base64 text",
    )


def check_header(data: bytes, found: Format, limits: Limits) -> None:
    """Refuse a file by what its header says, where that is plain to read.

    Raises:
        InvalidInput: It says something that is not allowed.
    """
    if (shape := SHAPES.get(found.name, _unknown)(data)) is not None:
        check_shape(*shape, limits)


def _described(data: bytes) -> str:
    if not data:
        return "the recording has 0 bytes"
    return f"the recording has {len(data)} bytes that start with {data[:12]!r}"


def _after_tags(data: bytes) -> int:
    """Where the sound begins.

    Source:
        ID3 tag version 2.4.0, sections 3.1 and 6.2: seven bits to each byte of the size.
    """
    begin = 0
    for _ in range(TAGS):
        if data[begin : begin + 3] != b"ID3" or len(data) < begin + 10:
            return begin
        size = 0
        for byte in data[begin + 6 : begin + 10]:
            size = size << 7 | byte & 0x7F
        begin += size + (20 if data[begin + 5] & 0x10 else 10)
        if begin >= len(data):
            raise InvalidInput(
                f"the file's ID3 tag ends at byte {begin} but the file has {len(data)} bytes, "
                "so there is no sound in it; send the whole file",
                param="audio",
            )
    raise InvalidInput(f"the file has more than {TAGS} ID3 tags; remove them", param="audio")


def _wave_shape(data: bytes) -> tuple[int, int] | None:
    """Channels and rate from the chunk ``fmt``.

    Source:
        Multimedia Programming Interface and Data Specifications 1.0 (1991), "Waveform".
    """
    begin = data.find(b"fmt ", 12, 4096) + 8
    if begin < 20 or len(data) < begin + 8:
        return None
    _, channels, rate = struct.unpack("<HHI", data[begin : begin + 8])
    return channels, rate


def _unknown(data: bytes) -> tuple[int, int] | None:
    return None


SHAPES: dict[str, Callable[[bytes], tuple[int, int] | None]] = {"WAV": _wave_shape}
