"""Where a recording has sound."""

from __future__ import annotations

import numpy as np
import pytest
from fix_hearing import RATE, noise
from numpy.typing import NDArray

from stelae.engines.listening.tape import FRAMES_PER_SECOND, Survey
from stelae.engines.listening.voice import audible, voiced

WINDOW = 30.0


def known(samples: NDArray[np.float32]) -> Survey:
    """What is known of samples whose frames are full."""
    powers = np.square(samples.reshape(-1, RATE // FRAMES_PER_SECOND)).mean(-1)
    return Survey(len(samples), powers)


def silence(seconds: float) -> NDArray[np.float32]:
    return np.zeros(round(seconds * RATE), np.float32)


def seconds(spans: list[tuple[int, int]]) -> list[tuple[float, float]]:
    return [(start / RATE, end / RATE) for start, end in spans]


def test_short_silence_belongs_to_the_recording() -> None:
    sound = np.concatenate([silence(5), noise(3), silence(20), noise(3), silence(9)])
    assert seconds(audible(known(sound), RATE, WINDOW)) == [(0.0, 40.0)]


def test_silence_as_long_as_a_window_is_left_out() -> None:
    sound = np.concatenate([silence(40), noise(3), silence(50), noise(2), silence(31)])
    assert seconds(audible(known(sound), RATE, WINDOW)) == [(40.0, 43.0), (93.0, 95.0)]


def test_of_silence_nothing_is_left() -> None:
    assert audible(known(silence(3600)), RATE, WINDOW) == []
    assert voiced(known(silence(3600)), RATE) == []


def test_voices_are_found_above_steady_noise() -> None:
    sound = 0.01 * noise(30) / 0.1
    sound[5 * RATE : 8 * RATE] += noise(3, 1)
    sound[9 * RATE : 11 * RATE] += noise(2, 2)
    sound[20 * RATE : 21 * RATE] += noise(1, 3)
    (first, second) = seconds(voiced(known(sound), RATE))
    assert first == pytest.approx((4.8, 11.2))
    assert second == pytest.approx((19.8, 21.2))


def test_sound_that_is_loud_throughout_is_kept_whole() -> None:
    assert seconds(voiced(known(noise(12)), RATE)) == [(0.0, 12.0)]
