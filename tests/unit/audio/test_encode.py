from __future__ import annotations

import wave
from io import BytesIO

import av
import numpy as np
import pytest
from fix_sound import PITCH, pitch, tone

from stelae.audio.decode import decode
from stelae.audio.encode import encode, encoder
from stelae.errors import EngineFailed
from stelae.types import AudioFormat

FILES = [kind for kind in AudioFormat if kind is not AudioFormat.PCM]
STARTS = {
    AudioFormat.WAV: b"RIFF", AudioFormat.MP3: (b"ID3", b"\xff"), AudioFormat.FLAC: b"fLaC",
    AudioFormat.OPUS: b"OggS", AudioFormat.AAC: b"\xff",
}  # fmt: skip


def chunked(kind: AudioFormat, rate: int, seconds: float) -> list[bytes]:
    samples = tone(seconds, rate)[0]
    made = encoder(kind, rate)
    size = rate // 5
    parts = [made.add(samples[i : i + size]) for i in range(0, len(samples), size)]
    return [*parts, made.end()]


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("rate", [16_000, 22_050, 24_000])
def test_a_file_made_in_chunks_is_heard_as_it_was(kind: AudioFormat, rate: int) -> None:
    data = b"".join(chunked(kind, rate, 2.0))
    assert data.startswith(STARTS[kind])
    samples = decode(data, rate)
    assert len(samples) / rate == pytest.approx(2.0, abs=0.15)  # packers fill their last frame
    assert pitch(samples, rate) == pytest.approx(PITCH, abs=1.0)
    middle = samples[rate // 2 : rate]
    assert np.sqrt((middle**2).mean()) == pytest.approx(0.5 / np.sqrt(2), rel=0.06)


@pytest.mark.parametrize("kind", list(AudioFormat))
def test_sound_leaves_while_it_is_made(kind: AudioFormat) -> None:
    *before, last = chunked(kind, 24_000, 4.0)
    assert sum(map(len, before)) > len(last)


@pytest.mark.parametrize("kind", FILES)
def test_a_whole_file_tells_its_length(kind: AudioFormat) -> None:
    data = encode(tone(2.0, 24_000)[0], 24_000, kind)
    assert pitch(decode(data, 24_000), 24_000) == pytest.approx(PITCH, abs=1.0)
    with av.open(BytesIO(data), "r") as container:
        assert container.duration is not None
        assert container.duration / av.time_base == pytest.approx(2.0, rel=0.2)


def test_a_wave_file_has_the_header_of_the_standard_library() -> None:
    with wave.open(BytesIO(encode(tone(1.0, 24_000)[0], 24_000, AudioFormat.WAV))) as file:
        assert file.getparams()[:4] == (1, 2, 24_000, 24_000)


def test_pcm_is_samples_of_16_bits_and_nothing_else() -> None:
    samples = np.array([0.0, 1.0, -1.0, 2.0, -2.0, 0.5], np.float32)
    data = encode(samples, 24_000, AudioFormat.PCM)
    assert np.frombuffer(data, "<i2").tolist() == [0, 32767, -32767, 32767, -32767, 16384]


@pytest.mark.parametrize("kind", [AudioFormat.WAV, AudioFormat.FLAC])
def test_exact_formats_keep_every_sample(kind: AudioFormat) -> None:
    samples = tone(0.5, 16_000)[0]
    assert np.abs(decode(encode(samples, 16_000, kind), 16_000) - samples).max() < 2**-14


@pytest.mark.parametrize("kind", [AudioFormat.MP3, AudioFormat.FLAC, AudioFormat.OPUS])
def test_no_sound_makes_a_file_too(kind: AudioFormat) -> None:
    assert np.abs(decode(encoder(kind, 24_000).end(), 24_000)).max() < 1e-3


@pytest.mark.parametrize("kind", [AudioFormat.PCM, AudioFormat.MP3])
def test_samples_that_are_no_numbers_are_the_models_fault(kind: AudioFormat) -> None:
    with pytest.raises(EngineFailed, match="no numbers"):
        encoder(kind, 24_000).add(np.array([0.0, np.nan], np.float32))
