"""How sound becomes what a model hears, by the options of its checkpoint."""

from __future__ import annotations

from stelae.audio.mel import Mel
from stelae.catalog.files import Json


def mel_of(spectrum: Json) -> Mel:
    """How spectra are taken.

    Args:
        spectrum: Options of the checkpoint, see ``catalog.hearing``.
    """
    return Mel(
        bands=spectrum["feature_size"],
        rate=spectrum["sampling_rate"],
        width=spectrum["n_fft"],
        hop=spectrum["hop_length"],
        seconds=spectrum["chunk_length"],
    )
