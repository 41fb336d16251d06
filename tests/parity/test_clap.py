"""Recordings and texts to vectors, beside what the library makes of them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fix_engine import answer
from fix_speech import load
from numpy.typing import NDArray
from transformers import AutoTokenizer, ClapFeatureExtractor, ClapModel

from stelae.audio.encode import encode
from stelae.errors import InvalidInput
from stelae.types import (
    AudioFormat,
    EncodeCall,
    EncodeResult,
    Item,
    ScoreCall,
    Truncate,
)

NAMES = ("clap", "clap-fused")
RATE = 16_000
TEXTS = ["a dog barks", "the king of the long river", "rain", "a dog barks twice " * 20]
TOLERANCE = 1e-5

Floats = NDArray[np.float32]


def sound(seconds: float, seed: int) -> Floats:
    """Tones that rise and fall, and noise; whole steps of 16 bits."""
    chance = np.random.RandomState(seed)
    times = np.arange(round(seconds * RATE)) / RATE
    pitches = 200 + 2000 * chance.random_sample(3)
    tones = sum(np.sin(2 * np.pi * (p + 300 * times) * times) for p in pitches)
    wave = 0.2 * tones + 0.05 * chance.randn(len(times))
    return (np.round(np.clip(wave, -1, 1) * 32767) / 32768).astype(np.float32)


SOUNDS = [sound(0.3, 1), sound(1.0, 2), sound(0.7, 3)]
LONG = sound(3.3, 4)


def wav(samples: Floats) -> bytes:
    # The house reads 16 bits by their 32768th part and writes them by the 32767th.
    return encode(samples * np.float32(32768 / 32767), RATE, AudioFormat.WAV)


@cache
def engine_of(folder: Path) -> Any:
    return load(folder)


def encoded(folder: Path, items: list[Item], **options: Any) -> EncodeResult:
    result: EncodeResult = answer(
        engine_of(folder), EncodeCall(model="voice", items=items, **options)
    )
    return result


class Library:
    """The library's own CLAP, asked for one item at a time."""

    def __init__(self, folder: Path) -> None:
        self.model = ClapModel.from_pretrained(folder).eval()
        self.hearing = ClapFeatureExtractor.from_pretrained(folder)
        self.tokenizer = AutoTokenizer.from_pretrained(folder)

    @torch.inference_mode()
    def hear(self, samples: Floats) -> Floats:
        read = self.hearing(samples, sampling_rate=RATE, return_tensors="pt")
        vector: Floats = self.model.get_audio_features(**read).pooler_output[0].numpy()
        return vector

    @torch.inference_mode()
    def read(self, text: str) -> Floats:
        ids = self.tokenizer(text, truncation=True, max_length=38, return_tensors="pt")
        vector: Floats = self.model.get_text_features(**ids).pooler_output[0].numpy()
        return vector


@pytest.mark.parametrize("name", NAMES)
def test_vectors_are_those_of_the_library(zoo: Path, name: str) -> None:
    library = Library(zoo / name)
    items = [Item(audio=wav(samples)) for samples in SOUNDS] + [Item(text=t) for t in TEXTS]
    result = encoded(zoo / name, items)
    assert not result.errors
    expected = [library.hear(samples) for samples in SOUNDS] + [library.read(t) for t in TEXTS]
    assert result.dense is not None
    np.testing.assert_allclose(result.dense, np.stack(expected), atol=TOLERANCE)
    np.testing.assert_allclose(np.linalg.norm(result.dense, axis=1), 1, atol=1e-6)
    assert result.truncated.tolist() == [False] * 6 + [True]


@pytest.mark.parametrize("name", NAMES)
def test_of_a_long_recording_the_middles_are_heard(
    zoo: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(np.random, "choice", lambda places: places[len(places) // 2])
    monkeypatch.setattr(np.random, "randint", lambda low, high: (high - 1) // 2)
    expected = Library(zoo / name).hear(LONG)
    result = encoded(zoo / name, [Item(audio=wav(LONG)), Item(audio=wav(LONG))])
    assert result.dense is not None
    np.testing.assert_allclose(result.dense, np.stack([expected] * 2), atol=TOLERANCE)
    assert result.truncated.all()


@pytest.mark.parametrize("name", NAMES)
def test_company_changes_nothing(zoo: Path, name: str) -> None:
    items = [Item(audio=wav(samples)) for samples in (*SOUNDS, LONG)] * 2
    together = encoded(zoo / name, items).dense
    for item, row in zip(items, together if together is not None else [], strict=True):
        alone = encoded(zoo / name, [item]).dense
        assert alone is not None
        np.testing.assert_allclose(row, alone[0], atol=1e-6)


@pytest.mark.parametrize("kind", [AudioFormat.FLAC, AudioFormat.MP3, AudioFormat.OPUS])
def test_other_files_of_a_sound_mean_the_same(zoo: Path, kind: AudioFormat) -> None:
    files = [encode(SOUNDS[1], RATE, form) for form in (AudioFormat.WAV, kind)]
    vectors = encoded(zoo / "clap", [Item(audio=file) for file in files]).dense
    assert vectors is not None
    assert float(vectors[0] @ vectors[1]) > 0.99


def test_broken_file_harms_no_other(zoo: Path) -> None:
    good = Item(audio=wav(SOUNDS[0]))
    bad = [Item(audio=b"not sound"), Item(audio=wav(SOUNDS[0])[:30]), Item(image=b"GIF89a")]
    result = encoded(zoo / "clap", [good, *bad, good])
    assert sorted(result.errors) == [1, 2, 3]
    assert "text or token_ids or audio" in result.errors[3].message
    assert result.dense is not None
    np.testing.assert_array_equal(result.dense[0], result.dense[4])


def test_recording_that_lasts_too_long_is_refused_alone(zoo: Path) -> None:
    silence = encode(np.zeros(901 * 4000, np.float32), 4000, AudioFormat.FLAC)
    result = encoded(zoo / "clap", [Item(audio=silence), Item(text="a dog")])
    assert list(result.errors) == [0]
    assert "at most 900 are read" in result.errors[0].message


def test_recording_that_must_not_be_cut_is_refused(zoo: Path) -> None:
    items = [Item(audio=wav(LONG)), Item(audio=wav(SOUNDS[1]))]
    result = encoded(zoo / "clap", items, truncate=Truncate.ERROR)
    assert list(result.errors) == [0]
    assert "longer than the model hears" in result.errors[0].message


def test_texts_are_scored_against_a_recording(zoo: Path) -> None:
    library = Library(zoo / "clap")
    query, documents = Item(audio=wav(SOUNDS[0])), [Item(text=text) for text in TEXTS[:3]]
    call = ScoreCall(model="voice", query=query, documents=documents)
    scores = answer(engine_of(zoo / "clap"), call).scores
    heard = library.hear(SOUNDS[0])
    expected = [heard @ library.read(text) for text in TEXTS[:3]]
    np.testing.assert_allclose(scores, expected, atol=TOLERANCE)


@pytest.mark.parametrize("name", ["bert-mean", "clip"])
def test_models_that_hear_nothing_refuse_by_name(zoo: Path, name: str) -> None:
    result = encoded(zoo / name, [Item(audio=wav(SOUNDS[0])), Item(text="a dog")])
    assert list(result.errors) == [0]
    assert "it has audio" in result.errors[0].message
    call = ScoreCall(model="voice", query=Item(audio=b"RIFF"), documents=[Item(text="a dog")])
    with pytest.raises(InvalidInput, match="it has audio"):
        engine_of(zoo / name).open(call)
