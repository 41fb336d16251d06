"""The small trained Whisper, through both engines: what telephone tones say, and when."""

from __future__ import annotations

import asyncio
import random
import statistics
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from fix_hearing import asked, heard, opened, segments, text
from repo import ROOT
from tiny.tones import GAP, TONE, dtmf, phrases, words

from stelae.engines.base import AnyStreamEngine
from stelae.types import ComputeDtype

FOLDER = ROOT / "tests" / "data" / "dtmf"
ENGINES = {
    "ctranslate2": ("whisper_ct2", ComputeDtype.FLOAT32),
    "ctranslate2 in eight bits": ("whisper_ct2", ComputeDtype.INT8),
    "transformers": ("whisper", ComputeDtype.FLOAT32),
}
FAR = 0.3
"""Seconds by which a word may be off in the middle; ends of windows are less sure."""

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=list(ENGINES))
async def ears(request: pytest.FixtureRequest) -> AsyncIterator[AnyStreamEngine]:
    engine, dtype = ENGINES[request.param]
    loaded = opened(FOLDER, engine, dtype=dtype)
    yield loaded
    await loaded.aclose()


def strings(count: int, seed: int = 97) -> list[str]:
    """Digits of a phrase; other ones than those of the training."""
    rng = random.Random(seed)
    return ["".join(rng.choices("0123456789", k=rng.randint(1, 8))) for _ in range(count)]


@pytest.mark.parametrize("language", ["en", "de"])
async def test_tones_are_written_down_and_their_language_is_found_out(
    ears: AnyStreamEngine, language: str
) -> None:
    said = strings(6)
    answers = await asyncio.gather(
        *(heard(ears, asked(dtmf(d, i, language=language))) for i, d in enumerate(said))
    )
    assert [text(answer) for answer in answers] == [words(digits, language) for digits in said]
    for answer in answers:
        assert [piece.language for piece in answer if piece.language] == [language]


async def test_german_is_written_in_english_if_asked_for(ears: AnyStreamEngine) -> None:
    sound = dtmf("3141", 5, language="de")
    assert text(await heard(ears, asked(sound, translate=True, language="de"))) == words("3141")


async def test_hiss_says_nothing(ears: AnyStreamEngine) -> None:
    hiss = dtmf(" " * 6, 3)
    assert text(await heard(ears, asked(hiss, language="en"))).strip() == ""


async def test_words_are_placed_near_where_they_sound(ears: AnyStreamEngine) -> None:
    off: list[float] = []
    for seed, digits in enumerate(strings(4)):
        found = segments(await heard(ears, asked(dtmf(digits, seed), language="en", words=True)))
        spoken = [word for segment in found for word in segment.words]
        assert [word.word for word in spoken] == [words(digit) for digit in digits]
        off += [abs(word.start - GAP - i * (TONE + GAP)) for i, word in enumerate(spoken)]
        times = [time for word in spoken for time in (word.start, word.end)]
        assert times == sorted(times)
        assert times[-1] <= GAP + len(digits) * (TONE + GAP)
    assert statistics.median(off) < FAR


@pytest.mark.parametrize("options", [{}, {"vad": True}, {"words": True}], ids=str)
async def test_a_recording_of_several_windows_comes_out_once_and_in_time(
    ears: AnyStreamEngine, options: dict[str, bool]
) -> None:
    digits = " ".join(strings(16, seed=5))
    said = phrases(digits)
    assert said[-1].end > 35.0
    pieces = await heard(ears, asked(dtmf(digits, 5), language="en", **options))
    found = segments(pieces)
    assert [segment.text for segment in found] == [words(one.digits) for one in said]
    if not options.get("words"):  # which have times of their own
        for segment, phrase in zip(found, said, strict=True):
            assert segment.start == pytest.approx(phrase.start, abs=0.2)
            assert segment.end == pytest.approx(phrase.end, abs=0.2)
    ends = [time for segment in found for time in (segment.start, segment.end)]
    assert ends == sorted(ends)
