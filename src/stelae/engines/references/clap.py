"""Recordings and texts, as transformers' own class of CLAP makes vectors of them."""

from __future__ import annotations

import wave
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from stelae.catalog.clap import CLAP
from stelae.catalog.spec import ModelSpec
from stelae.engines.references.made import Plain, trunk_of
from stelae.types import OutputType


class Clap(Plain):
    """Both towers of the library.

    Args:
        spec: The model.
        longest: Tokens it may read, if a person asked for fewer.
    """

    name = "transformers"

    def __init__(self, spec: ModelSpec, longest: int | None) -> None:
        folder = Path(spec.folder, trunk_of(spec).folder)
        kind: Any = transformers.ClapModel
        self._model = kind.from_pretrained(folder, dtype=torch.float32, use_safetensors=True).eval()
        self._tokenizer: Any = transformers.AutoTokenizer.from_pretrained(folder)
        self._hearing: Any = transformers.ClapFeatureExtractor.from_pretrained(folder)
        self._longest = longest or spec.max_tokens

    def read(self, text: str) -> tuple[Any, int]:
        """The vector of a text."""
        given = self._tokenizer(
            text, truncation=True, max_length=self._longest, return_tensors="pt"
        )
        made = self._model.get_text_features(**given)
        return made.pooler_output[0], given["input_ids"].numel()

    def listen(self, audio: bytes) -> tuple[Any, int]:
        """The vector of a WAV file, and the patches that its spectrogram is cut into."""
        with wave.open(BytesIO(audio)) as sound:
            rate, data = sound.getframerate(), sound.readframes(sound.getnframes())
        samples = np.frombuffer(data, "<i2").astype(np.float32) / 32768
        given = self._hearing(samples, sampling_rate=rate, return_tensors="pt")
        made = self._model.get_audio_features(**given)
        return made.pooler_output[0], self._model.audio_model.audio_encoder.patch_embed.num_patches


def fits(spec: ModelSpec, output: OutputType | None) -> bool:
    """Whether a model is a CLAP."""
    return output is OutputType.DENSE and spec.backbone.architecture == CLAP
