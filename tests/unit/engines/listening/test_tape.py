"""Recordings read window by window."""

from __future__ import annotations

import numpy as np
import pytest
from fix_hearing import RATE, noise, wav

from stelae.audio.decode import decode
from stelae.engines.listening.tape import Tape, survey
from stelae.errors import InvalidInput

SOUND = wav(noise(7.3))


@pytest.mark.parametrize(
    "windows",
    [
        [(0, 200_000)],
        [(0, 32_000), (32_000, 64_000), (64_000, 116_800)],
        [(0, 32_000), (16_000, 48_000), (16_320, 48_320), (100_000, 116_800)],
        [(90_001, 90_002), (116_799, 120_000)],
    ],
)
def test_windows_are_those_of_the_whole_recording(windows: list[tuple[int, int]]) -> None:
    whole, tape = decode(SOUND, RATE), Tape(SOUND, RATE)
    for start, stop in windows:
        np.testing.assert_array_equal(tape.read(start, stop), whole[start:stop])


def test_nothing_is_left_behind_the_end() -> None:
    tape = Tape(SOUND, RATE)
    assert len(tape.read(0, 10**9)) == round(7.3 * RATE)
    assert len(tape.read(10**9, 10**9 + 1)) == 0


def test_a_survey_counts_the_samples_and_measures_their_power() -> None:
    found = survey(SOUND, RATE)
    whole = decode(SOUND, RATE)
    assert found.samples == len(whole)
    assert found.powers[3] == pytest.approx(float(np.mean(whole[960:1280] ** 2)), rel=1e-4)
    assert len(found.powers) == len(whole) / 320


def test_a_file_that_is_no_recording_is_refused_before_anything_is_heard() -> None:
    with pytest.raises(InvalidInput):
        survey(b"this is a text, not a recording" * 10, RATE)
