"""Recordings that tests make up: tones, files of them, and headers that lie."""

from __future__ import annotations

import struct
from fractions import Fraction
from io import BytesIO
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

CODECS = {
    "wav": "pcm_s16le", "aiff": "pcm_s16be", "flac": "flac", "mp3": "libmp3lame", "adts": "aac",
    "ogg": "libopus", "mp4": "aac", "webm": "libopus",
}  # fmt: skip
"""What is put into each container if a test does not say."""

PITCH = 440.0


def tone(seconds: float, rate: int, channels: int = 1) -> NDArray[np.float32]:
    """A tone of ``PITCH`` at half of full scale, shape (channels, N)."""
    wave = 0.5 * np.sin(2 * np.pi * PITCH * np.arange(round(seconds * rate)) / rate)
    return np.repeat(wave[None].astype(np.float32), channels, axis=0)


def pitch(samples: NDArray[np.float32], rate: int) -> float:
    """The loudest frequency."""
    return float(np.abs(np.fft.rfft(samples)).argmax() * rate / len(samples))


def recorded(samples: NDArray[np.float32], rate: int, kind: str, codec: str | None = None) -> bytes:
    """A file of samples of shape (channels, N)."""
    file = BytesIO()
    with av.open(file, "w", format=kind) as container:
        track = _track(container, samples, rate, codec or CODECS[kind])
        _fill(container, track, samples, rate)
    return file.getvalue()


def filmed(samples: NDArray[np.float32] | None, rate: int, kind: str = "mp4") -> bytes:
    """A film of a second, with sound unless there are no samples."""
    file = BytesIO()
    with av.open(file, "w", format=kind) as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        sound = None if samples is None else _track(container, samples, rate, CODECS[kind])
        for shade in range(10):
            picture = np.full((64, 64, 3), shade, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
        if samples is not None:
            _fill(container, sound, samples, rate)
    return file.getvalue()


def _track(container: Any, samples: NDArray[np.float32], rate: int, codec: str) -> Any:
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[len(samples)]
    return container.add_stream(codec, rate=rate, layout=layout)


def _fill(container: Any, track: Any, samples: NDArray[np.float32], rate: int) -> None:
    context = track.codec_context
    fitted = av.AudioResampler(
        context.format.name, context.layout.name, rate, context.frame_size or 1024
    )
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), "fltp", context.layout.name)
    frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), 0
    for part in [*fitted.resample(frame), *fitted.resample(None)]:
        container.mux(track.encode(part))
    container.mux([packet for packet in track.encode(None) if packet.size])


def wave_file(
    body: bytes, *, channels: int = 1, rate: int = 16_000, bits: int = 16, kind: int = 1,
    size: int | None = None,
) -> bytes:  # fmt: skip
    """A WAV file whose header says what it is told to."""
    size = len(body) if size is None else size
    step = channels * bits // 8
    head = (kind, channels, rate & 0xFFFFFFFF, rate * step & 0xFFFFFFFF, step & 0xFFFF, bits)
    return b"".join((
        b"RIFF", struct.pack("<I", min(36 + size, 2**32 - 1)), b"WAVEfmt ",
        struct.pack("<IHHIIHH", 16, *head), b"data", struct.pack("<I", size), body,
    ))  # fmt: skip
