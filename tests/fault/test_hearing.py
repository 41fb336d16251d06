"""What may go wrong while a recording is written down."""

from __future__ import annotations

import asyncio
import shutil
import struct
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from fix_hearing import NAME, RATE, asked, heard, listener, noise, opened, segments, wav
from safetensors.numpy import load_file
from tiny.files import write_tensors

from stelae.cluster.canary import canary_call
from stelae.cluster.deployment import Deployment
from stelae.engines.base import AnyStreamEngine
from stelae.errors import EngineFailed, InvalidInput, ShuttingDown, UnsupportedTask
from stelae.types import TranscribeCall

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ears(zoo: Path) -> AsyncIterator[AnyStreamEngine]:
    engine = opened(zoo / "whisper")
    yield engine
    await engine.aclose()


def claimed(seconds: int, samples: bytes = b"") -> bytes:
    """A WAV file whose header promises so much."""
    size = min(seconds * RATE * 2, 2**32 - 1)
    head = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", size, b"WAVE", b"fmt ", 16, 1, 1, RATE,
                       2 * RATE, 2, 16)  # fmt: skip
    return head + struct.pack("<4sI", b"data", size) + samples


@pytest.mark.parametrize(
    "audio",
    [
        b"",
        b"RIFF",
        b"this is a text and no recording at all" * 20,
        wav(np.zeros(0, np.float32)),
        claimed(40_000),
        wav(noise(1.0))[:44],
    ],
    ids=["empty", "cut", "text", "no samples", "4 GB claimed", "header alone"],
)
async def test_what_is_no_recording_is_refused_and_the_model_goes_on(
    ears: AnyStreamEngine, audio: bytes
) -> None:
    with pytest.raises(InvalidInput) as caught:
        await heard(ears, TranscribeCall(model=NAME, audio=audio, language="en"))
    assert caught.value.param == "audio"
    assert (await heard(ears, asked(noise(0.5), language="en")))[-1].usage is not None


async def test_language_that_the_model_does_not_know_is_refused_with_those_it_does(
    ears: AnyStreamEngine,
) -> None:
    for given in ("fr", "French", "klingon", ""):
        with pytest.raises(InvalidInput, match="en, de, cs") as caught:
            await heard(ears, asked(noise(0.5), language=given))
        assert caught.value.param == "language"


async def test_language_is_known_by_its_name_too(ears: AnyStreamEngine) -> None:
    for given in ("German", "de", "DE"):
        pieces = await heard(ears, asked(noise(0.5), language=given, temperatures=(0.0,)))
        assert pieces[0].language == "de"


async def test_model_of_english_alone_hears_and_writes_english(zoo: Path) -> None:
    ears = opened(zoo / "whisper-english")
    with pytest.raises(UnsupportedTask, match="writes the language that it hears") as caught:
        await heard(ears, asked(noise(0.5), translate=True))
    assert caught.value.param == "translate"
    with pytest.raises(InvalidInput, match="trained on en"):
        await heard(ears, asked(noise(0.5), language="de"))
    pieces = await heard(ears, asked(noise(0.5), temperatures=(0.0,)))
    assert pieces[0].language == "en"
    await ears.aclose()


async def test_an_hour_of_silence_says_nothing_and_costs_no_step(ears: AnyStreamEngine) -> None:
    steps = ears.stats.steps
    audio = claimed(3600, bytes(2 * 3600 * RATE))
    pieces = await heard(ears, TranscribeCall(model=NAME, audio=audio))
    assert segments(pieces) == []
    assert pieces[0].duration == 3600.0
    assert pieces[-1].usage is not None
    assert ears.stats.steps == steps


async def test_the_shortest_recording_is_answered(ears: AnyStreamEngine) -> None:
    pieces = await heard(ears, asked(noise(1 / RATE), language="en", temperatures=(0.0,)))
    assert pieces[-1].usage is not None


async def test_work_ends_within_a_window_of_a_caller_who_leaves(ears: AnyStreamEngine) -> None:
    call = asked(noise(300.0), language="en", temperatures=(0.0,))
    async with aclosing(ears.stream(call)) as stream:
        async for pieces in stream:
            if any(piece.position for piece in pieces):
                break
    await heard(ears, asked(noise(0.5), language="en", temperatures=(0.0,)))
    steps = ears.stats.steps
    await heard(ears, asked(noise(0.5), language="en", temperatures=(0.0,)))
    assert ears.stats.steps - steps == 2  # one window heard, one text written: its own


async def test_what_is_under_way_is_told_when_the_model_goes(zoo: Path) -> None:
    ears = opened(zoo / "whisper")
    stream = ears.stream(asked(noise(300.0), language="en", temperatures=(0.0,)))
    await anext(stream)
    ending = asyncio.ensure_future(ears.aclose())
    with pytest.raises(ShuttingDown):
        async for _ in stream:
            pass
    await ending
    with pytest.raises(ShuttingDown):
        await heard(ears, asked(noise(0.5)))


async def test_a_broken_file_harms_no_neighbour(ears: AnyStreamEngine) -> None:
    good = asked(noise(1.0), language="en", temperatures=(0.0,))
    bad = TranscribeCall(model=NAME, audio=b"no sound" * 99, language="en")
    alone = await heard(ears, good)
    found = await asyncio.gather(
        heard(ears, good), heard(ears, bad), heard(ears, good), return_exceptions=True
    )
    assert found[0] == found[2] == alone
    assert isinstance(found[1], InvalidInput)


async def test_the_health_check_is_heard(zoo: Path) -> None:
    engine = opened(zoo / "whisper")
    asked = canary_call(Deployment(name=NAME, spec=listener(zoo / "whisper"), engine="whisper_ct2"))
    assert isinstance(asked, TranscribeCall)
    assert (await heard(engine, asked))[-1].usage is not None
    assert engine.stats.steps > 0
    await engine.aclose()


@pytest.mark.parametrize("name", ["whisper", "whisper_ct2"])
async def test_model_whose_scores_are_no_numbers_fails_its_health_check(
    zoo: Path, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "whisper"
    shutil.copytree(zoo / "whisper", folder)
    file = folder / "model.safetensors"
    tensors = load_file(file)
    norm = "model.decoder.layer_norm.weight"
    tensors[norm] = np.full_like(tensors[norm], np.nan)
    write_tensors(file, tensors)
    engine = opened(folder, name)
    asked = canary_call(Deployment(name=NAME, spec=listener(folder), engine=name))
    assert isinstance(asked, TranscribeCall)
    with pytest.raises(EngineFailed):
        await heard(engine, asked)
    await engine.aclose()
