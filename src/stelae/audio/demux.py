"""Sound files read by FFmpeg, packet by packet; of a video only its sound.

The kind of file is given and not guessed, so that no list of addresses is taken for one, and
only the decoders named here run: frames of video are never decoded.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import av
import numpy as np
from av.error import FFmpegError, InvalidDataError
from numpy.typing import NDArray

from stelae.audio.formats import Format
from stelae.audio.limits import Limits, check_length, check_shape
from stelae.errors import InvalidInput

CODECS = (
    "aac", "ac3", "alac", "eac3", "flac", "mp2", "mp2float", "mp3", "mp3float", "opus", "vorbis",
    "adpcm_ima_qt", "adpcm_ima_wav", "adpcm_ms", "pcm_alaw", "pcm_f32be", "pcm_f32le",
    "pcm_f64be", "pcm_f64le", "pcm_mulaw", "pcm_s16be", "pcm_s16le", "pcm_s24be", "pcm_s24le",
    "pcm_s32be", "pcm_s32le", "pcm_s8", "pcm_u8",
)  # fmt: skip
"""Decoders that may run."""

Error: type[Exception] = FFmpegError
"""What is raised where a file is not what it says."""

FULL = {"u8": 2.0**7, "s16": 2.0**15, "s32": 2.0**31, "s64": 2.0**63, "flt": 1.0, "dbl": 1.0}
"""Full scale of each kind of sample."""


def blocks(data: bytes, found: Format, limits: Limits) -> Iterator[tuple[NDArray[np.float32], int]]:
    """Read a file.

    Args:
        data: Its bytes.
        found: What it is.
        limits: How large it may be.

    Yields:
        Samples of shape (N,), the mean of all channels, and how many make a second, which may
        change on the way.

    Raises:
        InvalidInput: It has no sound, or none of a known kind, or is too large by its header.
        Error: It is broken.
    """
    options = {"codec_whitelist": ",".join(CODECS)}
    with av.open(BytesIO(data), "r", format=found.demuxer, options=options) as container:
        stream = _sound(container, found)
        if container.duration is not None:
            check_length(container.duration / av.time_base, limits)
        for frame in _frames(container, stream):
            check_shape(frame.layout.nb_channels, frame.sample_rate, limits)
            yield _mono(frame), frame.sample_rate


def _sound(container: Any, found: Format) -> Any:
    if not container.streams.audio:
        kinds = ", ".join(sorted({stream.type or "unknown" for stream in container.streams}))
        raise InvalidInput(
            f"the {found.name} file has no sound track (its tracks: {kinds or 'none'}); "
            "send a file with one",
            param="audio",
        )
    stream = container.streams.audio[0]
    context = stream.codec_context
    if context is None or context.name not in CODECS:
        name = "unknown" if context is None else context.name
        raise InvalidInput(
            f"the sound of the {found.name} file is of the kind {name!r}, which is not read; "
            "save it as AAC, MP3, Opus, Vorbis, FLAC or PCM",
            param="audio",
        )
    return stream


def _frames(container: Any, stream: Any) -> Iterator[Any]:
    """What can be decoded, as long as that is more than what cannot."""
    good = broken = 0
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except InvalidDataError:
            broken += 1
            if broken > good:
                raise
        else:
            good += 1
            yield from frames


def _mono(frame: Any) -> NDArray[np.float32]:
    kind, channels = frame.format.name.removesuffix("p"), frame.layout.nb_channels
    values = frame.to_ndarray()
    rows = values if frame.format.is_planar else values.reshape(-1, channels).T
    mixed: NDArray[np.float32] = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    return (mixed - FULL[kind]) / FULL[kind] if kind == "u8" else mixed / FULL[kind]
