"""Log-mel spectrograms agree with those of the library that the models are trained with.

The library has two ways: one in double precision, and a fast one in single precision, which is
itself up to 5e-5 away from the first.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from transformers import WhisperFeatureExtractor
from transformers.audio_utils import mel_filter_bank

from stelae.audio.mel import Mel, filters, log_mel, window

RATE = 16_000


def noisy(seconds: float, seed: int) -> NDArray[np.float32]:
    """Tones that come and go over a noise floor, as in rooms where people talk."""
    rng = np.random.default_rng(seed)
    times = np.arange(round(seconds * RATE)) / RATE
    tones = sum(
        rng.uniform(0.05, 0.3)
        * np.sin(2 * np.pi * pitch * times)
        * (np.sin(times * pitch / 90) > 0)
        for pitch in rng.uniform(80, 7000, 6)
    )
    return (tones + rng.normal(0, 0.01, len(times))).astype(np.float32)


@pytest.mark.parametrize("bands", [80, 128])
@pytest.mark.parametrize("seconds", [0.1, 7.3, 33.0])
def test_a_window_is_what_the_library_makes_of_it(bands: int, seconds: float) -> None:
    samples = noisy(seconds, bands)
    library = WhisperFeatureExtractor(feature_size=bands)
    found = window(samples, Mel(bands=bands))
    assert (found.shape, found.dtype) == ((bands, 3000), np.float32)
    fast = library(samples, sampling_rate=RATE, return_tensors="np")["input_features"][0]
    np.testing.assert_allclose(found, fast, atol=1e-4, rtol=0)
    filled = np.pad(samples.astype(np.float64), (0, max(0, 480_000 - len(samples))))[:480_000]
    exact = library._np_extract_fbank_features(filled[None], "cpu")[0]
    np.testing.assert_allclose(found, exact, atol=1e-5, rtol=0)


@pytest.mark.parametrize("seconds", [0.5, 45.25])
def test_any_length_is_what_the_library_makes_of_it(seconds: float) -> None:
    samples = noisy(seconds, 5)
    wanted = WhisperFeatureExtractor()(
        samples, sampling_rate=RATE, truncation=False, padding="longest", return_tensors="np"
    )["input_features"][0]
    np.testing.assert_allclose(log_mel(samples, Mel()), wanted, atol=1e-4, rtol=0)


def test_silence_is_what_the_library_makes_of_it() -> None:
    wanted = WhisperFeatureExtractor()(np.zeros(100), sampling_rate=RATE, return_tensors="np")
    found = window(np.zeros(100, np.float32), Mel())
    np.testing.assert_allclose(found, wanted["input_features"][0], atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("mel", "size"),
    [(Mel(), 400), (Mel(bands=128), 400), (Mel(bands=64, rate=48_000, width=1024), 1024)],
)
def test_bands_are_those_of_the_library(mel: Mel, size: int) -> None:
    wanted = mel_filter_bank(
        1 + size // 2, mel.bands, 0.0, mel.rate / 2, mel.rate, norm="slaney", mel_scale="slaney"
    )
    np.testing.assert_allclose(filters(mel), wanted.T, atol=1e-7, rtol=0)
