"""Recordings over many windows, heard by one who knows telephone tones for certain.

It writes as Whisper does: of a phrase that the window cuts off it guesses what there is of it,
and does not say when that ends.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fix_hearing import RATE, asked, listener, segments, text
from numpy.typing import NDArray
from tiny.tones import COLUMNS, GAP, KEYS, PAUSE, ROWS, TONE, dtmf, phrases, words

from stelae.catalog.abilities import Hearing
from stelae.engines.listening.asks import Align, Ask, Detect, Hear, Write
from stelae.engines.listening.engine import vocabulary_of
from stelae.engines.listening.hearer import Aligned, Written
from stelae.engines.listening.tape import Tape, survey
from stelae.engines.listening.transcript import Ears, Transcript
from stelae.engines.listening.vocabulary import TICK, Vocabulary
from stelae.types import TranscribePiece

WINDOW = 6.0
HEARING = Hearing(languages=("en", "de"), window=WINDOW)
STEP = round(0.01 * RATE)


@pytest.fixture(scope="module")
def vocabulary(zoo: Path) -> Vocabulary:
    return vocabulary_of(listener(zoo / "whisper"))


class Expert:
    """Hears tones by their frequencies.

    Args:
        vocabulary: What it writes in.

    Attributes:
        told: What was found.
        windows: How many were heard.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self.told: list[TranscribePiece] = []
        self.windows = 0

    def answer(self, ask: Ask) -> Any:
        match ask:
            case Hear(samples=samples):
                self.windows += 1
                return samples
            case Detect():
                raise AssertionError("the language was said")
            case Write(heard=heard):
                return Written(self._written(heard), -0.1, 0.0)
            case Align(text=ids):
                return Aligned(np.linspace(0.0, WINDOW, len(ids) + 1).tolist(), [1.0] * len(ids))

    def _written(self, samples: NDArray[np.float32]) -> list[int]:
        tokens: list[int] = []
        for start, end in _loud(samples):
            digits = "".join(_key(samples, at) for at in np.arange(start, end, TONE + GAP))
            tokens += [self._time(start), *self._vocabulary.encode(words(digits))]
            if end < len(samples) / RATE - PAUSE or len(samples) < WINDOW * RATE:
                tokens.append(self._time(end))
        return tokens

    def _time(self, seconds: float) -> int:
        return self._vocabulary.first_time + round(seconds / TICK)


def _loud(samples: NDArray[np.float32]) -> list[tuple[float, float]]:
    """Seconds of the phrases: tones with gaps shorter than a pause."""
    frames = samples[: len(samples) // STEP * STEP].reshape(-1, STEP)
    loud = np.flatnonzero(np.square(frames).mean(1) > 1e-3)
    if not len(loud):
        return []
    cuts = np.flatnonzero(np.diff(loud) > 0.9 * PAUSE / 0.01)
    starts, ends = loud[[0, *(cuts + 1)]], loud[[*cuts, -1]] + 1
    return [(a / 100, b / 100) for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]


def _key(samples: NDArray[np.float32], start: float) -> str:
    """The digit whose two frequencies are the strongest."""
    part = samples[round(start * RATE) : round((start + TONE) * RATE)]
    times = np.arange(len(part)) / RATE

    def power(pitch: int) -> float:
        return float(np.abs(np.sum(part * np.exp(-2j * np.pi * pitch * times))))

    row = max(range(len(ROWS)), key=lambda i: power(ROWS[i]))
    column = max(range(len(COLUMNS)), key=lambda i: power(COLUMNS[i]))
    found = KEYS[row][column]
    return found if found.isdigit() else "0"


def transcribed(vocabulary: Vocabulary, digits: str, seed: int, **options: Any) -> Expert:
    expert, sound = Expert(vocabulary), dtmf(digits, seed, lead=0.1 * (seed % 40))
    call = asked(sound, language="en", **options)
    tape, found = Tape(call.audio, RATE), survey(call.audio, RATE)
    ears = Ears(HEARING, vocabulary, 448)
    steps = Transcript(tape, found, call, "en", ears, expert.told.extend).run()
    answer = None
    try:
        while True:
            answer = expert.answer(steps.send(answer))
    except StopIteration:
        return expert


@pytest.mark.parametrize("vad", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_each_phrase_of_a_long_recording_is_written_once_and_in_time(
    vocabulary: Vocabulary, seed: int, vad: bool
) -> None:
    rng = random.Random(seed)
    parts = ["".join(rng.choices("0123456789", k=rng.randint(1, 8))) for _ in range(15)]
    digits = (" " * rng.randint(1, 6)).join(parts)
    expert = transcribed(vocabulary, digits, seed, vad=vad)
    assert expert.windows > 3
    assert text(expert.told) == words(digits)
    said = spoken(digits, 0.1 * (seed % 40))
    for segment, (start, end) in zip(segments(expert.told), said, strict=True):
        assert segment.start == pytest.approx(start, abs=2 * TICK)
        assert segment.end == pytest.approx(end, abs=2 * TICK)


def spoken(digits: str, lead: float) -> list[tuple[float, float]]:
    """When it sounds without a pause."""
    found: list[tuple[float, float]] = []
    for one in phrases(digits, lead):
        if found and one.start - found[-1][1] < PAUSE:
            found[-1] = (found[-1][0], one.end)
        else:
            found.append((one.start, one.end))
    return found


def test_words_of_a_long_recording_are_said_one_after_another(vocabulary: Vocabulary) -> None:
    digits = "31 415 92653 589 79323 84 626433 8327 9502 88419"
    expert = transcribed(vocabulary, digits, 1, words=True)
    spoken = [word for segment in segments(expert.told) for word in segment.words]
    assert "".join(word.word for word in spoken) == words(digits)
    times = [time for word in spoken for time in (word.start, word.end)]
    assert times == sorted(times)
    assert times[-1] <= expert.told[0].duration  # type: ignore[operator]  # known by then
