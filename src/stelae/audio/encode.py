"""Samples to files of sound, as a whole or in chunks while they are made."""

from __future__ import annotations

import struct
from fractions import Fraction
from io import BytesIO, RawIOBase
from typing import Any, Protocol

import av
import numpy as np
from numpy.typing import NDArray

from stelae.audio.resample import Resampler
from stelae.errors import EngineFailed
from stelae.types import AudioFormat

ENDLESS = 2**32 - 1
"""Size in the header of a WAV file whose length is not known when it begins."""

PACKED: dict[AudioFormat, tuple[str, str, int]] = {
    AudioFormat.MP3: ("mp3", "libmp3lame", 64_000),
    AudioFormat.FLAC: ("flac", "flac", 0),
    AudioFormat.OPUS: ("ogg", "libopus", 32_000),
    AudioFormat.AAC: ("adts", "aac", 64_000),
}
"""FFmpeg's names for container and codec, and bits per second for one voice, 0 if exact."""


class Encoder(Protocol):
    """Makes a file chunk by chunk; the chunks joined are the file."""

    def add(self, samples: NDArray[np.float32]) -> bytes:
        """Take samples of shape (N,), 1 is full scale; give what is ready, maybe nothing."""

    def end(self) -> bytes:
        """What was held back; nothing may be added any more."""


def encoder(kind: AudioFormat, rate: int) -> Encoder:
    """Begin a file that grows.

    Args:
        kind: Its format.
        rate: Samples per second that will be added; formats that do not know the rate keep the
            sound at the next one that they know.
    """
    if kind in PACKED:
        return _Packed(kind, rate, _Drain())
    return _Plain(b"" if kind is AudioFormat.PCM else _wave_head(rate, ENDLESS))


def encode(samples: NDArray[np.float32], rate: int, kind: AudioFormat) -> bytes:
    """Make a whole file, whose header tells its length if the format can.

    Args:
        samples: Shape (N,), 1 is full scale.
        rate: How many of them make a second.
        kind: Format of the file.

    Raises:
        EngineFailed: A sample is no number.
    """
    if kind in PACKED:
        file = BytesIO()
        packed = _Packed(kind, rate, file)
        packed.add(samples)
        packed.end()
        return file.getvalue()
    body = _sixteen_bit(samples)
    return body if kind is AudioFormat.PCM else _wave_head(rate, len(body)) + body


class _Plain:
    """16-bit samples behind a head."""

    def __init__(self, head: bytes) -> None:
        self._head = head

    def add(self, samples: NDArray[np.float32]) -> bytes:
        head, self._head = self._head, b""
        return head + _sixteen_bit(samples)

    def end(self) -> bytes:
        return self._head


class _Drain(RawIOBase):
    """Takes bytes as a file that cannot go back; gives away what it has."""

    def __init__(self) -> None:
        self._kept = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._kept += data
        return len(data)

    def drained(self) -> bytes:
        """What was written since it was last asked."""
        data, self._kept = bytes(self._kept), bytearray()
        return data


class _Packed:
    """A file that FFmpeg writes."""

    def __init__(self, kind: AudioFormat, rate: int, file: _Drain | BytesIO) -> None:
        container, codec, bits = PACKED[kind]
        self._file, self._given, self._pts = file, rate, 0
        self._rate = _nearest(codec, rate)
        self._container = av.open(file, "w", format=container)
        self._stream = _track(self._container, codec, self._rate)
        self._resampler = Resampler(self._rate)
        context = self._stream.codec_context
        if bits:
            context.bit_rate = bits
        context.open()
        self._fitted = av.AudioResampler(
            context.format.name, "mono", self._rate, context.frame_size or None
        )

    def add(self, samples: NDArray[np.float32]) -> bytes:
        self._write(self._resampler.add(_checked(samples), self._given))
        return self._drained()

    def end(self) -> bytes:
        self._write(self._resampler.end())
        if not self._pts:  # players refuse a file without any sound
            self._write(np.zeros(self._rate // 50, np.float32))
        for frame in self._fitted.resample(None):
            self._container.mux(self._stream.encode(frame))
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._drained()

    def _write(self, samples: NDArray[np.float32]) -> None:
        if not len(samples):
            return
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), "fltp", "mono")
        frame.sample_rate, frame.time_base = self._rate, Fraction(1, self._rate)
        frame.pts, self._pts = self._pts, self._pts + len(samples)
        for part in self._fitted.resample(frame):
            self._container.mux(self._stream.encode(part))

    def _drained(self) -> bytes:
        return self._file.drained() if isinstance(self._file, _Drain) else b""


def _track(container: av.container.OutputContainer, codec: str, rate: int) -> Any:
    """A track whose kind is known only by the codec's name."""
    return container.add_stream(codec, rate=rate, layout="mono")


def _nearest(codec: str, rate: int) -> int:
    """The least rate that a codec knows and that loses nothing, or its highest."""
    known = av.Codec(codec, "w").audio_rates
    if not known or rate in known:
        return rate
    return min((one for one in known if one > rate), default=max(known))


def _checked(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    if not np.isfinite(samples).all():
        raise EngineFailed("the model made samples that are no numbers")
    return np.clip(samples, -1.0, 1.0).astype(np.float32, copy=False)


def _sixteen_bit(samples: NDArray[np.float32]) -> bytes:
    return (_checked(samples) * 32767.0).round().astype("<i2").tobytes()


def _wave_head(rate: int, size: int) -> bytes:
    """Everything before the samples of a WAV file with one channel of 16 bits.

    Source:
        Multimedia Programming Interface and Data Specifications 1.0 (1991), "Waveform".
    """
    shape = struct.pack("<IHHIIHH", 16, 1, 1, rate, 2 * rate, 2, 16)
    body = b"WAVEfmt " + shape + b"data" + struct.pack("<I", size)
    return b"RIFF" + struct.pack("<I", min(size + len(body), ENDLESS)) + body
