"""Whisper side by side with the library that it comes from.

The models are random: what they write means nothing, but every number of sound and weights
decides it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from fix_hearing import RATE, asked, heard, listener, noise, opened, segments, text
from transformers import WhisperForConditionalGeneration, WhisperProcessor

from stelae.engines.base import AnyStreamEngine
from stelae.engines.listening.engine import ListenEngine

ENGINES = ("whisper_ct2", "whisper")
MODELS = ("whisper", "whisper-english", "whisper-full")
GREEDY = {"temperatures": (0.0,)}
SECONDS = 4.0


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=ENGINES)
async def ears(request: pytest.FixtureRequest, zoo: Path) -> AsyncIterator[AnyStreamEngine]:
    engine = opened(zoo / "whisper", request.param)
    yield engine
    await engine.aclose()


def window_of(name: str, zoo: Path) -> float:
    hearing = listener(zoo / name).hearing
    assert hearing is not None
    return hearing.window


def reference(folder: Path, samples: Any, **options: Any) -> list[int]:
    """The tokens of the first window, as the library writes them."""
    model = WhisperForConditionalGeneration.from_pretrained(folder)
    features = WhisperProcessor.from_pretrained(folder).feature_extractor(
        samples, sampling_rate=RATE, return_tensors="pt"
    )["input_features"]
    made = model.generate(features, return_timestamps=True, return_segments=True, **options)
    return first_window(segment["tokens"].tolist() for segment in made["segments"][0])


def first_window(texts: Iterable[list[int]]) -> list[int]:
    """Tokens of the segments up to the first whose time lies before the last one's."""
    tokens: list[int] = []
    for written in texts:
        if tokens and written[0] < tokens[-1]:
            break
        tokens += written
    return tokens


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.asyncio
async def test_the_first_segments_are_those_that_the_library_writes(
    engine: str, name: str, zoo: Path
) -> None:
    samples = noise(window_of(name, zoo))
    known = {} if "english" in name else {"language": "en"}
    said = {**known, "task": "transcribe"} if known else {}
    theirs = reference(zoo / name, samples, max_new_tokens=20, **said)
    ears = opened(zoo / name, engine)
    ours = segments(await heard(ears, asked(samples, **GREEDY, **known)))
    await ears.aclose()
    written = first_window(segment.tokens for segment in ours)
    assert written
    assert written == theirs[: len(written)]
    assert len(theirs) - len(written) <= 1  # the library shows a time more


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("whisper", {}),
        ("whisper", {"language": "de", "prompt": "Ur"}),
        ("whisper-english", {}),
        ("whisper-full", {"translate": True}),
    ],
)
@pytest.mark.asyncio
async def test_both_engines_write_the_same(name: str, options: dict[str, Any], zoo: Path) -> None:
    call = asked(noise(2.7 * window_of(name, zoo)), **GREEDY, words=True, **options)
    answers = []
    for engine in ENGINES:
        ears = opened(zoo / name, engine)
        answers.append(await heard(ears, call))
        await ears.aclose()
    ours, theirs = (segments(answer) for answer in answers)
    assert [piece.language for piece in answers[0]] == [piece.language for piece in answers[1]]
    assert [segment.tokens for segment in ours] == [segment.tokens for segment in theirs]
    for one, other in zip(ours, theirs, strict=True):
        assert one.avg_logprob == pytest.approx(other.avg_logprob, abs=1e-4)
        assert one.no_speech_prob == pytest.approx(other.no_speech_prob, abs=1e-4)
        for word, same in zip(one.words, other.words, strict=True):
            assert (word.word, word.start, word.end) == (same.word, same.start, same.end)
            assert word.probability == pytest.approx(same.probability, abs=1e-4)


@pytest.mark.asyncio(loop_scope="module")
async def test_segments_are_in_order_and_the_last_piece_counts_the_work(
    ears: AnyStreamEngine,
) -> None:
    pieces = await heard(ears, asked(noise(SECONDS), language="en", **GREEDY))
    found = segments(pieces)
    assert found
    assert [segment.id for segment in found] == list(range(len(found)))
    assert_ascending([time for segment in found for time in (segment.start, segment.end)])
    assert [piece.usage is not None for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    assert pieces[0].duration == SECONDS
    assert_ascending([piece.position for piece in pieces if piece.position is not None])


@pytest.mark.asyncio(loop_scope="module")
async def test_words_are_those_of_their_segment_and_said_in_order(ears: AnyStreamEngine) -> None:
    found = segments(await heard(ears, asked(noise(SECONDS), language="en", words=True, **GREEDY)))
    assert found
    for segment in found:
        assert "".join(word.word for word in segment.words) == segment.text
    assert_ascending(
        [time for segment in found for word in segment.words for time in (word.start, word.end)]
    )


def assert_ascending(times: Sequence[float]) -> None:
    assert list(times) == sorted(times)
    assert times[0] >= 0.0
    assert times[-1] <= SECONDS


@pytest.mark.asyncio(loop_scope="module")
async def test_recordings_heard_together_are_written_as_each_alone(
    ears: AnyStreamEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = [asked(noise(SECONDS - seed, seed), language="en", **GREEDY) for seed in range(3)]
    alone = [text(await heard(ears, call)) for call in calls]
    steps = ears.stats.steps
    assert isinstance(ears, ListenEngine)
    add, arrived = ears._loop.add, []

    def added(*given: Any) -> None:
        arrived.append(given)
        for each in arrived if len(arrived) == len(calls) else ():
            add(*each)

    monkeypatch.setattr(ears._loop, "add", added)  # so that they do come together
    together = await asyncio.gather(*(heard(ears, call) for call in calls))
    assert [text(answer) for answer in together] == alone
    assert ears.stats.steps - steps < steps
