"""Sound to spectrograms on a scale of pitch, in decibels, as CLAP was trained with.

Source: transformers 5.17, ``models/clap/feature_extraction_clap.py`` and ``audio_utils.py``;
mel scales after O'Shaughnessy 1987 and Slaney 1998.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers.audio_utils import mel_filter_bank

Samples = NDArray[np.float32]
Spectra = NDArray[np.float32]
"""Log-mel spectra, shape ``(frames, bins)``."""

FLOOR = 1e-10
"""Least power, so that silence has a logarithm."""

BLOCK = 1024
"""Frames that are worked out at a time, which bounds memory."""


class Spectrograph:
    """Makes what the tower for recordings sees.

    Args:
        options: Of the checkpoint's feature extractor, as the catalog has checked them.

    Attributes:
        rate: Samples per second that it takes.
        length: Samples that the model hears at once.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        self.rate: int = options["sampling_rate"]
        self.length: int = options["max_length_s"] * self.rate
        self._hop: int = options["hop_length"]
        self._size: int = options["fft_window_size"]
        self._padding: str = options.get("padding", "repeatpad")
        self._fused = options["truncation"] == "fusion"
        self._filters = _filters(options, slaney=not self._fused)
        self._window = np.hanning(self._size + 1)[:-1]

    @property
    def _frames(self) -> int:
        """Spectra of what is heard at once."""
        return self.length // self._hop + 1

    def views(self, samples: Samples) -> tuple[Spectra, bool]:
        """What the tower sees of a recording.

        Of a longer one than it hears, a fused tower sees the whole shrunk in time, and the
        middle of each of its thirds; another tower sees the middle alone. (The library takes
        parts by chance; here the same recording is heard the same each time.)

        Returns:
            Shape ``(views, frames, bins)``; and whether something was left out.
        """
        if len(samples) <= self.length:
            return self._repeated(self._spectra(self._filled(samples))), False
        if not self._fused:
            start = (len(samples) - self.length) // 2
            return self._repeated(self._spectra(samples[start : start + self.length])), True
        whole = self._spectra(samples)
        if len(whole) == self._frames:
            return self._repeated(whole), False
        starts = np.array_split(np.arange(len(whole) - self._frames + 1), 3)
        places = [int(part[len(part) // 2]) if len(part) else 0 for part in starts]
        parts = [whole[place : place + self._frames] for place in places]
        return np.stack([self._shrunk(whole), *parts]), True

    def _repeated(self, spectra: Spectra) -> Spectra:
        return np.stack([spectra] * (4 if self._fused else 1))

    def _filled(self, samples: Samples) -> Samples:
        """A short recording at the length that is heard: again and again, then silence."""
        times = self.length // len(samples)
        if self._padding == "repeat":
            return np.tile(samples, times + 1)[: self.length]
        if self._padding == "repeatpad":
            samples = np.tile(samples, times)
        return np.pad(samples, (0, self.length - len(samples)))

    def _shrunk(self, spectra: Spectra) -> Spectra:
        size = (self._frames, spectra.shape[1])
        given = torch.from_numpy(spectra)[None, None]
        made = torch.nn.functional.interpolate(given, size, mode="bilinear", align_corners=False)
        shrunk: Spectra = made[0, 0].numpy()
        return shrunk

    def _spectra(self, samples: Samples) -> Spectra:
        half = self._size // 2
        mirrored = np.pad(samples, half, mode="reflect")
        frames = np.lib.stride_tricks.sliding_window_view(mirrored, self._size)[:: self._hop]
        blocks = (frames[i : i + BLOCK] for i in range(0, len(frames), BLOCK))
        return np.concatenate([self._decibels(block) for block in blocks])

    def _decibels(self, frames: Samples) -> Spectra:
        power = np.abs(np.fft.rfft(frames * self._window, axis=1)) ** 2
        mel = np.maximum(power @ self._filters, FLOOR)
        made: Spectra = (10.0 * np.log10(mel)).astype(np.float32)
        return made


def _filters(options: dict[str, Any], *, slaney: bool) -> NDArray[np.float64]:
    """How much each frequency counts in each bin, shape ``(frequencies, bins)``."""
    made: NDArray[np.float64] = mel_filter_bank(
        num_frequency_bins=options["fft_window_size"] // 2 + 1,
        num_mel_filters=options["feature_size"],
        min_frequency=options.get("frequency_min", 0),
        max_frequency=options.get("frequency_max", 14_000),
        sampling_rate=options["sampling_rate"],
        norm="slaney" if slaney else None,
        mel_scale="slaney" if slaney else "htk",
    )
    return made
