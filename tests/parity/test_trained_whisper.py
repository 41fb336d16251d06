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
from tiny.tones import RATE, dtmf, phrases, words

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

    @torch.inference_mode()
    def segments(self, sound: NDArray[np.float32]) -> list[tuple[float, float, str]]:
        """Start, end and text of what it hears in a recording of any length."""
        heard = self.processor(
            sound, sampling_rate=RATE, truncation=False, padding="longest",
            return_attention_mask=True, return_tensors="pt",
        )  # fmt: skip
        made = self._model.generate(
            **heard, language="en", task="transcribe", return_timestamps=True, return_segments=True
        )["segments"][0]
        decode = self.processor.decode
        return [
            (
                float(one["start"]),
                float(one["end"]),
                decode(one["tokens"], skip_special_tokens=True),
            )
            for one in made
        ]


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


def test_german_is_told_from_english_and_translated(library: Library) -> None:
    digits = "3145"
    sounds = [dtmf(digits, 1, language=language) for language in ("en", "de")]
    assert library.texts(sounds, task="transcribe") == [words(digits), words(digits, "de")]
    assert library.texts(sounds, task="translate") == [words(digits)] * 2


@pytest.mark.slow
def test_a_recording_of_several_windows_comes_out_in_phrases(library: Library) -> None:
    digits = " ".join(strings(16, seed=5))
    said = phrases(digits)
    assert said[-1].end > 35.0
    found = library.segments(dtmf(digits, 5))
    assert [text for _, _, text in found] == [words(one.digits) for one in said]
    np.testing.assert_allclose(
        [place[:2] for place in found], [(one.start, one.end) for one in said], atol=0.11
    )
