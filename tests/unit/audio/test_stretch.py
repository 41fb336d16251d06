"""Sound faster or slower at the same pitch."""

from __future__ import annotations

import numpy as np
import pytest
from fix_sound import PITCH, pitch, tone

from stelae.audio.stretch import stretched

RATE = 16_000


@pytest.mark.parametrize("speed", [0.25, 0.4, 0.5, 0.9, 1.3, 2.0, 3.0, 4.0])
def test_time_changes_and_pitch_does_not(speed: float) -> None:
    made = stretched(tone(3.0, RATE)[0], RATE, speed)
    assert made.dtype == np.float32
    assert len(made) / RATE == pytest.approx(3.0 / speed, rel=0.05)
    assert pitch(made, RATE) == pytest.approx(PITCH, rel=0.02)
    assert 0.4 < np.abs(made).max() < 0.6


def test_plain_speed_changes_nothing() -> None:
    sound = tone(0.1, RATE)[0]
    np.testing.assert_array_equal(stretched(sound, RATE, 1.0), sound)


@pytest.mark.parametrize("samples", [0, 1, 7, 300])
def test_short_sounds_stay_short(samples: int) -> None:
    assert len(stretched(tone(samples / RATE, RATE)[0], RATE, 0.5)) <= 2 * samples + RATE // 10
