"""Where in a recording there is sound, by its loudness alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stelae.engines.listening.tape import FRAMES_PER_SECOND, Survey

Spans = list[tuple[int, int]]
"""Beginnings and ends, in samples."""

INAUDIBLE = 1e-8
"""A mean square below this is nothing: 80 dB under full scale."""

QUIET = 10
"""Percentage of a recording that is taken to be its quiet."""

ABOVE = 10.0
"""A voice has this many times the power of the quiet, which is 10 dB."""

BELOW = 0.1
"""A voice has this part of the greatest power, which is 10 dB less, if that is less."""

PAUSE, MARGIN = 2.0, 0.2
"""Seconds without a voice that are left out, and those around a voice that are not."""


def audible(found: Survey, rate: int, window: float) -> Spans:
    """The recording without what is silent for at least a window.

    Args:
        found: What is known of the recording.
        rate: Samples per second.
        window: Seconds that the model hears at once.
    """
    spans = _spans(found.powers > INAUDIBLE, gap=window, margin=0.0)
    length = found.samples / rate
    whole = [
        (0.0 if start < window else start, length if length - end < window else end)
        for start, end in spans
    ]
    return _samples(whole, found, rate)


def voiced(found: Survey, rate: int) -> Spans:
    """The stretches that are louder than the recording's quiet.

    Whatever is loud counts as a voice: this tells sound from silence and steady noise, not
    speech from music.

    Args:
        found: What is known of the recording.
        rate: Samples per second.
    """
    powers = found.powers
    quiet, loudest = float(np.percentile(powers, QUIET)), float(powers.max())
    least = max(min(quiet * ABOVE, loudest * BELOW), INAUDIBLE)
    return _samples(_spans(powers > least, gap=PAUSE, margin=MARGIN), found, rate)


def _spans(loud: NDArray[np.bool_], gap: float, margin: float) -> list[tuple[float, float]]:
    """Seconds of the loud stretches with a margin, joined where the gap is short."""
    frames = np.flatnonzero(loud)
    if not len(frames):
        return []
    breaks = np.flatnonzero(np.diff(frames) > gap * FRAMES_PER_SECOND)
    starts = frames[np.concatenate([[0], breaks + 1])] / FRAMES_PER_SECOND
    ends = (frames[np.concatenate([breaks, [-1]])] + 1) / FRAMES_PER_SECOND
    return [
        (start - margin, end + margin)
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
    ]


def _samples(spans: list[tuple[float, float]], found: Survey, rate: int) -> Spans:
    return [
        (max(0, round(start * rate)), min(found.samples, round(end * rate))) for start, end in spans
    ]
