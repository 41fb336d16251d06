"""A trained Whisper writes down telephone tones, by the library.

Its weights are made by ``tools/tiny/train/dtmf.py``, what it hears by ``tiny.tones``. The
engines are held to it in tests of their own.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from numpy.typing import NDArray
from repo import ROOT
from tiny.tones import RATE, dtmf, words

FOLDER = ROOT / "tests" / "data" / "dtmf"
SEED = 97
"""Other strings than those of the training."""


class Library:
    """The library's own model of the checkpoint."""

    def __init__(self) -> None:
        kind: Any = transformers.WhisperForConditionalGeneration
        self._model = kind.from_pretrained(FOLDER).eval()
        self.processor = transformers.WhisperProcessor.from_pretrained(FOLDER)

    @torch.inference_mode()
    def tokens(self, sounds: list[NDArray[np.float32]], **more: Any) -> list[list[int]]:
        """What it writes, windows of half a minute at most, prompts and padding included."""
        heard = self.processor(sounds, sampling_rate=RATE, return_tensors="pt")
        made: list[list[int]] = self._model.generate(heard["input_features"], **more).tolist()
        return made

    def texts(self, sounds: list[NDArray[np.float32]], **more: Any) -> list[str]:
        """The same as texts."""
        tokens = self.tokens(sounds, **more)
        said: list[str] = self.processor.batch_decode(tokens, skip_special_tokens=True)
        return said


@pytest.fixture(scope="module")
def library() -> Library:
    return Library()


def strings(count: int, seed: int = SEED) -> list[str]:
    rng = random.Random(seed)
    return ["".join(rng.choices("0123456789", k=rng.randint(1, 8))) for _ in range(count)]


@pytest.mark.slow
@pytest.mark.parametrize("timed", [False, True], ids=["plain", "timed"])
def test_new_strings_come_out_exactly(library: Library, timed: bool) -> None:
    said = strings(20)
    sounds = [dtmf(digits, seed) for seed, digits in enumerate(said)]
    found = library.texts(sounds, language="en", task="transcribe", return_timestamps=timed)
    assert [text.strip() for text in found] == [words(digits).strip() for digits in said]
