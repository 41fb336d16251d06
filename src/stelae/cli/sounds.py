"""Recordings to try models with: short, and unlike each other."""

from __future__ import annotations

import wave
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

SECONDS = 0.8
"""Shorter than what any model hears at once."""

KINDS = ("silence", "a tone", "a deep tone", "a rising tone", "two beeps", "noise", "a click")
"""What the recordings hold."""


def varied(rate: int) -> dict[str, bytes]:
    """WAV files with one channel, by what they hold.

    Args:
        rate: Samples per second.
    """
    return {kind: _file(_wave(kind, rate), rate) for kind in KINDS}


def _wave(kind: str, rate: int) -> NDArray[np.float64]:
    times = np.arange(round(SECONDS * rate)) / rate
    match kind:
        case "a tone":
            return np.sin(2 * np.pi * 440 * times)
        case "a deep tone":
            return np.sin(2 * np.pi * 90 * times)
        case "a rising tone":
            return np.sin(2 * np.pi * (200 + 900 * times) * times)
        case "two beeps":
            return np.sin(2 * np.pi * 1000 * times) * (times % 0.4 < 0.1)
        case "noise":
            return np.random.default_rng(0).random(len(times)) * 2 - 1
        case "a click":
            return np.eye(1, len(times), len(times) // 2).ravel()
        case _:
            return np.zeros(len(times))


def _file(samples: NDArray[np.float64], rate: int) -> bytes:
    file = BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes((samples * 16_000).astype("<i2").tobytes())
    return file.getvalue()
