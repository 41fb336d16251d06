from __future__ import annotations

import struct
import tracemalloc
import zipfile
from contextlib import suppress
from io import BytesIO

import numpy as np
import pytest
from fix_sound import PITCH, filmed, pitch, recorded, tone, wave_file

from stelae.audio.decode import decode, pieces
from stelae.audio.limits import Limits
from stelae.errors import InvalidInput

KINDS = ["wav", "aiff", "flac", "mp3", "adts", "ogg", "mp4", "webm"]
HOUR = Limits(seconds=3600.0)


def refusal(data: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(InvalidInput) as caught:
        decode(data, 16_000) if limits is None else decode(data, 16_000, limits)
    assert caught.value.param == "audio"
    return str(caught.value)


def promising(flac: bytes, samples: int) -> bytes:
    """The file with another number of samples in its header, 0 if it does not say.

    Source: RFC 9639, section 8.2: 36 bits.
    """
    high, low = divmod(samples, 2**32)
    return flac[:21] + bytes([flac[21] & 0xF0 | high]) + struct.pack(">I", low) + flac[26:]


def peak(data: bytes, limits: Limits) -> tuple[str, int]:
    tracemalloc.start()
    message = refusal(data, limits)
    size = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return message, size


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [1, 2])
def test_the_bytes_say_what_the_format_is(kind: str, channels: int) -> None:
    samples = decode(recorded(tone(1.0, 48_000, channels), 48_000, kind), 16_000)
    assert (samples.dtype, samples.ndim) == (np.float32, 1)
    assert len(samples) == pytest.approx(16_000, abs=1_000)  # packers fill their last frame
    assert pitch(samples, 16_000) == pytest.approx(PITCH, abs=1.0)
    middle = samples[4_000:12_000]
    assert np.sqrt((middle**2).mean()) == pytest.approx(0.5 / np.sqrt(2), rel=0.06)


@pytest.mark.parametrize(
    ("codec", "off"),
    [("pcm_u8", 2**-7), ("pcm_s16le", 2**-15), ("pcm_s24le", 2**-23), ("pcm_s32le", 1e-7),
     ("pcm_f32le", 1e-7), ("pcm_f64le", 1e-7), ("pcm_mulaw", 2**-6)],
)  # fmt: skip
def test_samples_of_every_width_have_the_same_full_scale(codec: str, off: float) -> None:
    wave = tone(0.1, 16_000)
    assert np.abs(decode(recorded(wave, 16_000, "wav", codec), 16_000) - wave[0]).max() <= off


def test_channels_are_mixed_by_their_mean() -> None:
    wave = tone(0.1, 16_000, 2)
    wave[1] = 0.25
    mixed = decode(recorded(wave, 16_000, "wav", "pcm_f32le"), 16_000)
    np.testing.assert_allclose(mixed, (wave[0] + 0.25) / 2, atol=1e-7)


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 96_000])
def test_other_rates_are_resampled(rate: int) -> None:
    samples = decode(recorded(tone(1.0, rate), rate, "wav"), 16_000)
    assert len(samples) == pytest.approx(16_000, abs=1)
    np.testing.assert_allclose(samples[2000:14000], tone(1.0, 16_000)[0, 2000:14000], atol=2e-3)


def test_pieces_are_the_whole_cut_up() -> None:
    data = recorded(tone(3.0, 44_100, 2), 44_100, "flac")
    parts = list(pieces(data, 16_000))
    assert len(parts) > 10
    np.testing.assert_array_equal(np.concatenate(parts), decode(data, 16_000))


def test_a_film_is_heard_and_not_looked_at() -> None:
    data = filmed(tone(1.0, 48_000), 48_000)
    assert pitch(decode(data, 16_000), 16_000) == pytest.approx(PITCH, abs=1.0)
    message = refusal(filmed(None, 48_000))
    assert "the MP4 file has no sound track (its tracks: video)" in message


def test_notes_before_the_sound_are_skipped() -> None:
    tag = b"ID3\4\0\0\0\0\2\0" + bytes(256)
    samples = decode(tag + tag + recorded(tone(1.0, 48_000), 48_000, "mp3"), 16_000)
    assert pitch(samples, 16_000) == pytest.approx(PITCH, abs=1.0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_cut_anywhere_is_refused_or_read(kind: str) -> None:
    whole = recorded(tone(0.2, 48_000), 48_000, kind)
    for end in range(0, len(whole), max(1, len(whole) // 100)):
        with suppress(InvalidInput):
            assert 1 <= len(decode(whole[:end], 16_000)) <= 4_800


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_with_bytes_changed_is_refused_or_read(kind: str) -> None:
    whole = recorded(tone(0.2, 48_000), 48_000, kind)
    rng = np.random.default_rng(3)
    for _ in range(50):
        broken = bytearray(whole)
        for place in rng.integers(0, len(whole), 5):
            broken[place] = rng.integers(0, 256)
        with suppress(InvalidInput):
            decode(bytes(broken), 16_000, Limits(seconds=60.0))


def packed() -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("speech.wav", wave_file(bytes(100)))
    return file.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"R",
        b"RIFF\0\0\0\0WEBP",
        b"#EXTM3U\nhttp://127.0.0.1/\n",
        b"\x89PNG\r\n\x1a\n",
        packed(),
    ],
)
def test_other_bytes_are_refused_and_shown(data: bytes) -> None:
    message = refusal(data)
    assert f"{len(data)} bytes" in message
    assert "WAV, AIFF, FLAC, MP3, AAC" in message


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ({"channels": 0}, "0 channels, 1 to 64 are read"),
        ({"channels": 65_535}, "65535 channels, 1 to 64 are read"),
        ({"rate": 0}, "0 samples per second, 1000 to 768000 are read"),
        ({"rate": 1}, "1 samples per second"),
        ({"rate": 4_000_000_000}, "4000000000 samples per second"),
    ],
)
def test_headers_out_of_bounds_are_refused(shape: dict[str, int], said: str) -> None:
    assert said in refusal(wave_file(bytes(1000), **shape))


def test_a_header_that_promises_more_than_there_is_counts_for_nothing() -> None:
    tracemalloc.start()
    samples = decode(wave_file(bytes(100), size=2**32 - 37), 16_000)
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(samples) == 50
    assert taken < 2**20


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_samples_that_are_no_numbers_are_refused(value: float) -> None:
    body = np.full(100, value, np.float32).tobytes()
    assert "where 1 is full scale" in refusal(wave_file(body, bits=32, kind=3))


SILENCE = np.zeros((1, 2 * 3600 * 1000), np.float32)
"""Two hours at 1,000 samples per second."""


def test_hours_in_a_small_file_are_refused_by_its_header() -> None:
    data = promising(recorded(SILENCE, 1_000, "flac"), SILENCE.size)
    assert len(data) < 1_000_000
    message, size = peak(data, HOUR)
    assert "lasts 7200 seconds or more, at most 3600 are read" in message
    assert size < len(data) + 2**20


def test_hours_that_a_header_hides_are_refused_in_bounded_memory() -> None:
    data = promising(recorded(SILENCE, 1_000, "flac"), 0)
    message, size = peak(data, Limits(seconds=60.0))
    assert "at most 60 are read" in message
    assert size < len(data) + 16 * 2**20


def test_the_rate_asked_for_bounds_the_length() -> None:
    limits = Limits(decoded_bytes=4 * 16_000)
    data = recorded(tone(2.0, 8_000), 8_000, "wav")
    assert len(decode(data, 8_000, limits)) == 16_000
    assert "at most 1 are read" in refusal(data, limits)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"ID3\4\0\0\x7f\x7f\x7f\x7f" + bytes(10**6), "ID3 tag ends at byte 268435465"),
        (b"ID3\4\0\0\0\0\0\0" * 10**5, "more than 16 ID3 tags"),
        (b"ID3\4\0\0\0\0\0\0" + bytes(10**6), "cut off or broken"),
        (b"OggS" + bytes(10**6), "cut off or broken"),
        (b"\x1aE\xdf\xa3" + bytes(10**6), "cut off or broken"),
        (struct.pack(">I", 24) + b"ftypmp42" + bytes(10**6), "cut off or broken"),
        (wave_file(b""), "0 samples"),
    ],
    ids=["endless-tag", "many-tags", "tag-alone", "ogg", "webm", "mp4", "empty"],
)
def test_a_start_without_sound_is_refused(data: bytes, said: str) -> None:
    assert said in refusal(data)


def test_a_file_of_too_many_bytes_is_refused_before_it_is_looked_at() -> None:
    assert "101 bytes, at most 100 are read" in refusal(bytes(101), Limits(file_bytes=100))
