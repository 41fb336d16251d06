"""Samples of a window to the spectra that Whisper hears."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from transformers import WhisperFeatureExtractor

from stelae.catalog.files import Json
from stelae.engines.listening.hearer import Floats


def spectra_of(spectrum: Json) -> Callable[[Floats], Floats]:
    """What makes spectra, shape (bins, frames), of samples that are padded with silence.

    Args:
        spectrum: Options of the checkpoint, see ``catalog.hearing``.
    """
    extract: Any = WhisperFeatureExtractor(**spectrum)  # type: ignore[no-untyped-call]

    def spectra(samples: Floats) -> Floats:
        made: Floats = extract(
            samples, sampling_rate=spectrum["sampling_rate"], return_tensors="np"
        )["input_features"][0]
        return made

    return spectra
