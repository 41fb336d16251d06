"""The engines without models answer as real ones do: in order, whole, and ended by usage."""

from __future__ import annotations

import io
import wave
from typing import Any

import pytest
from fix_media import LISTENER, PAINTER, SPEAKER, Ability, read, settings
from PIL import Image

from stelae.catalog.entry import ModelEntry
from stelae.catalog.spec import Source
from stelae.engines import registry
from stelae.engines.base import EngineOptions, StreamEngine
from stelae.errors import EngineFailed, InputTooLong, InvalidInput
from stelae.types import AudioFormat, ImageCall, SpeechCall, TranscribeCall


async def answer(folder: Any, ability: Ability, call: Any) -> list[Any]:
    settings(folder, "m", ability)
    entry = ModelEntry(name="m", source=str(folder / "m"))
    spec = read(folder / "m", entry, Source(kind="folder", location="m"))
    assert spec is not None
    engine = registry.load(registry.choose(spec, "fake_media").manifest, spec, EngineOptions())
    assert isinstance(engine, StreamEngine)
    pieces = [piece async for made in engine.stream(call) for piece in made]
    assert [piece.usage is not None for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    return pieces


async def test_pictures_are_told_step_by_step(tmp_path: Any) -> None:
    call = ImageCall(model="m", prompt="a cat", n=2, steps=2, size=(16, 8), seed=1)
    pieces = await answer(tmp_path, PAINTER, call)
    assert [(p.index, p.step) for p in pieces] == [(0, 1), (0, 2), (0, 2), (1, 1), (1, 2), (1, 2)]
    pictures = [Image.open(io.BytesIO(p.image)) for p in pieces if p.image]
    assert [(p.size, p.format) for p in pictures] == [((16, 8), "PNG")] * 2
    assert pictures[0].getpixel((0, 0)) != pictures[1].getpixel((0, 0))


async def test_recordings_are_told_in_segments(tmp_path: Any) -> None:
    call = TranscribeCall(model="m", audio=b"RIFF", prompt="one two", words=True)
    _, *said, last = await answer(tmp_path, LISTENER, call)
    assert "".join(piece.segment.text for piece in said) == " one two"
    assert (last.usage.seconds, last.usage.tokens) == (2.0, 2)


async def test_texts_are_told_as_a_file_of_sound(tmp_path: Any) -> None:
    call = SpeechCall(model="m", text="one two three", format=AudioFormat.WAV)
    pieces = await answer(tmp_path, SPEAKER, call)
    with wave.open(io.BytesIO(b"".join(piece.audio for piece in pieces))) as sound:
        assert sound.getnframes() == 3 * 1600


@pytest.mark.parametrize(
    ("ability", "call", "error"),
    [
        (PAINTER, ImageCall(model="m", prompt="word " * 9), InputTooLong),
        (PAINTER, ImageCall(model="m", prompt="a", size=(9, 8)), InvalidInput),
        (PAINTER, ImageCall(model="m", images=[b"<svg/>"]), InvalidInput),
        (PAINTER, ImageCall(model="m", prompt="!fail"), EngineFailed),
        (PAINTER, ImageCall(model="m", prompt="!late"), EngineFailed),
        (LISTENER, TranscribeCall(model="m", audio=b"PK"), InvalidInput),
        (SPEAKER, SpeechCall(model="m", text="a", voice="nobody"), InvalidInput),
    ],
)
async def test_what_a_model_would_refuse_is_refused(
    tmp_path: Any, ability: Ability, call: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await answer(tmp_path, ability, call)
