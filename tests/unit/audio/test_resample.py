from __future__ import annotations

import numpy as np
import pytest
from fix_sound import tone

from stelae.audio.resample import Resampler


def test_sound_at_the_rate_asked_for_is_left_as_it_is() -> None:
    wave = tone(0.1, 16_000)[0]
    resampler = Resampler(16_000)
    np.testing.assert_array_equal(resampler.add(wave, 16_000), wave)
    assert len(resampler.end()) == 0


@pytest.mark.parametrize("size", [1, 37, 4_000])
def test_blocks_of_any_size_make_the_same_sound(size: int) -> None:
    wave = tone(0.25, 44_100)[0]
    resampler = Resampler(16_000)
    parts = [resampler.add(wave[i : i + size], 44_100) for i in range(0, len(wave), size)]
    made = np.concatenate([*parts, resampler.end()])
    assert len(made) == pytest.approx(4_000, abs=1)
    middle = slice(400, 3_600)
    np.testing.assert_allclose(made[middle], tone(0.25, 16_000)[0, : len(made)][middle], atol=2e-3)


def test_a_rate_that_changes_on_the_way_loses_nothing() -> None:
    resampler = Resampler(16_000)
    parts = [
        resampler.add(tone(0.5, rate)[0], rate) for rate in (8_000, 48_000, 16_000, 16_000, 8_000)
    ]
    assert sum(map(len, [*parts, resampler.end()])) == pytest.approx(2.5 * 16_000, abs=3)
