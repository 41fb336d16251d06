"""Where in a recording there is sound, by its energy alone."""

from __future__ import annotations

import numpy as np

from stelae.engines.listening.hearer import Floats

Spans = list[tuple[int, int]]
"""Beginnings and ends, in samples."""

INAUDIBLE = 1e-4
"""A sample below this is nothing: 80 dB under full scale."""


def audible(samples: Floats, window: int) -> Spans:
    """The recording without what is silent at least a window long.

    Args:
        samples: Shape (N,).
        window: Samples that the model hears at once.
    """
    size = max(window // 100, 1)
    loud = [
        start
        for start in range(0, len(samples), size)
        if np.abs(samples[start : start + size]).max() > INAUDIBLE
    ]
    return _spans(loud, size, len(samples), gap=window, margin=window // 30)


def voiced(samples: Floats, rate: int, window: int) -> Spans:
    """The stretches that are louder than the recording's quiet.

    Whatever is loud counts as a voice: it tells sound from silence and noise, not from music.

    Args:
        samples: Shape (N,).
        rate: Of them in a second.
        window: Samples that the model hears at once.
    """
    size = rate * 30 // 1000
    powers = np.array(
        [
            float(np.mean(np.square(samples[start : start + size])))
            for start in range(0, len(samples), size)
        ]
    )
    if not len(powers):
        return []
    floor = max(float(np.percentile(powers, QUIET)) * ABOVE, INAUDIBLE**2)
    floor = min(floor, float(powers.max()) * BELOW)
    loud = [int(i) * size for i in np.flatnonzero(powers > max(floor, INAUDIBLE**2))]
    return _spans(loud, size, len(samples), gap=window // 15, margin=rate // 5)


QUIET = 10
"""Percentage of a recording that is taken to be its quiet."""

ABOVE = 10.0
"""A voice has this many times the power of the quiet, which is 10 dB."""

BELOW = 0.01
"""A voice may have this part of the greatest power, which is 20 dB below."""


def _spans(loud: list[int], size: int, end: int, gap: int, margin: int) -> Spans:
    """Loud pieces with a margin, joined where the gap between them is small."""
    spans: Spans = []
    for start in loud:
        if spans and start - spans[-1][1] <= gap:
            spans[-1] = (spans[-1][0], start + size)
        else:
            spans.append((start, start + size))
    return [(max(0, a - margin), min(end, b + margin)) for a, b in spans]
