"""Log-mel spectrograms as Whisper reads them, with NumPy alone.

Source: Radford et al. 2022 (arXiv:2212.04356), section 2.2: windows of 25 ms every 10 ms, 80 or
128 bands; the scaling of the numbers is that of the published checkpoints' own reader.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

FLOOR = 1e-10
"""Least power that is told apart from none."""

DEPTH = 8.0
"""Powers of ten between the loudest band and the quietest that is told apart."""

FRAMES = 3000
"""Spectra that are computed at once."""


@dataclass(frozen=True, slots=True)
class Mel:
    """How spectra are taken.

    Attributes:
        bands: Numbers in a spectrum.
        rate: Samples per second.
        width: Samples of a spectrum.
        hop: Samples from one spectrum to the next.
        seconds: Length of the windows that a model hears.
    """

    bands: int = 80
    rate: int = 16_000
    width: int = 400
    hop: int = 160
    seconds: int = 30

    @property
    def samples(self) -> int:
        """Samples of a window."""
        return self.seconds * self.rate

    @property
    def frames(self) -> int:
        """Spectra of a window."""
        return self.samples // self.hop


def window(samples: NDArray[np.float32], mel: Mel) -> NDArray[np.float32]:
    """What a model hears of a window.

    Args:
        samples: Shape (N,); silence follows if they do not fill the window, and what does not
            fit is left out.
        mel: How.

    Returns:
        Shape (``bands``, ``frames``).
    """
    filled = np.zeros(mel.samples, np.float32)
    filled[: len(samples)] = samples[: mel.samples]
    return log_mel(filled, mel)


def log_mel(samples: NDArray[np.float32], mel: Mel) -> NDArray[np.float32]:
    """Spectra of a stretch of sound, scaled by its loudest band.

    Args:
        samples: Shape (N,), N more than half of ``width``.
        mel: How.

    Returns:
        Shape (``bands``, N // ``hop``): the base-10 logarithm of the power, but at least
        ``DEPTH`` below the largest, plus 4, by 4.
    """
    logs = np.log10(np.maximum(powers(samples, mel), FLOOR))
    scaled: NDArray[np.float32] = (np.maximum(logs, logs.max() - DEPTH) + 4.0) / 4.0
    return scaled


def powers(samples: NDArray[np.float32], mel: Mel) -> NDArray[np.float32]:
    """Power in each band around every ``hop``-th sample, the ends mirrored.

    Args:
        samples: Shape (N,).
        mel: How.

    Returns:
        Shape (``bands``, N // ``hop``).
    """
    count, table = len(samples) // mel.hop, filters(mel)
    padded = np.pad(samples, mel.width // 2, mode="reflect")
    frames = sliding_window_view(padded, mel.width)[:: mel.hop][:count]
    found = np.empty((mel.bands, count), np.float32)
    for begin in range(0, count, FRAMES):
        spectra = np.fft.rfft(frames[begin : begin + FRAMES] * hann(mel.width), axis=1)
        power = (spectra.real**2 + spectra.imag**2).astype(np.float32)
        found[:, begin : begin + FRAMES] = table @ power.T
    return found


@lru_cache(maxsize=8)
def hann(width: int) -> NDArray[np.float64]:
    """A raised cosine over one period, shape (``width``,).

    In double precision, so that what it weighs is transformed in that: single precision is up
    to 5e-5 off in bands that are far below the loudest.
    """
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(width) / width))


@lru_cache(maxsize=8)
def filters(mel: Mel) -> NDArray[np.float32]:
    """Weights of the frequencies in each band: triangles of equal area.

    Returns:
        Shape (``bands``, ``width`` // 2 + 1).

    Source:
        Slaney 1998, Auditory Toolbox (Interval Research technical report 1998-010): bands of
        equal width below 1 kHz, of equal ratio above.
    """
    pitches = np.fft.rfftfreq(mel.width, 1 / mel.rate)
    edges = _hertz(np.linspace(0.0, _mels(mel.rate / 2), mel.bands + 2))
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (pitches - low) / (middle - low), (high - pitches) / (high - middle)
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    weights: NDArray[np.float32] = (triangles * 2.0 / (high - low)).astype(np.float32)
    return weights


KNEE, STEP = 1000.0, 200.0 / 3
"""Hertz up to which a mel is ``STEP`` hertz."""

RATIO = np.log(6.4) / 27
"""Natural logarithm of the ratio of a mel above."""


def _mels(hertz: float) -> float:
    if hertz < KNEE:
        return hertz / STEP
    return float(KNEE / STEP + np.log(hertz / KNEE) / RATIO)


def _hertz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    straight = mels * STEP
    bent = KNEE * np.exp(RATIO * (np.maximum(mels, KNEE / STEP) - KNEE / STEP))
    return np.where(mels < KNEE / STEP, straight, bent)
