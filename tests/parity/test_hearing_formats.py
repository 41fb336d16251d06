"""Whisper in other number formats, and from files of ctranslate2's own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from ctranslate2.converters import TransformersConverter
from fix_hearing import asked, heard, listener, noise, opened, segments, text

from stelae.engines import registry
from stelae.engines.base import Device, EngineOptions
from stelae.errors import UnsupportedCheckpoint, UnsupportedTask
from stelae.types import ComputeDtype

GREEDY = {"temperatures": (0.0,)}


@pytest.fixture(scope="module")
def converted(zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint as the library itself converts it."""
    folder = tmp_path_factory.mktemp("converted") / "whisper"
    TransformersConverter(str(zoo / "whisper")).convert(str(folder))
    for name in ("tokenizer.json", "preprocessor_config.json"):
        shutil.copy(zoo / "whisper" / name, folder)
    return folder


async def test_a_ready_conversion_writes_what_our_own_does(zoo: Path, converted: Path) -> None:
    call = asked(noise(3.0), language="cs", words=True, **GREEDY)
    answers = []
    for folder in (converted, zoo / "whisper"):
        ears = opened(folder)
        answers.append(segments(await heard(ears, call)))
        await ears.aclose()
    assert answers[0]
    assert answers[0] == answers[1]


async def test_a_vocabulary_without_the_mark_of_several_languages_is_told(converted: Path) -> None:
    ears = opened(converted)
    with pytest.raises(UnsupportedTask, match="say which is spoken"):
        await heard(ears, asked(noise(1.0)))
    await ears.aclose()


def test_a_ready_conversion_is_nothing_for_the_reference(converted: Path) -> None:
    with pytest.raises(UnsupportedCheckpoint, match="whisper: it reads checkpoints of"):
        registry.choose(listener(converted), "whisper")


async def test_eight_bits_are_taken_if_asked_for(zoo: Path) -> None:
    ears = opened(zoo / "whisper", dtype=ComputeDtype.INT8, device=Device.CPU)
    assert ears.info.dtype == "int8"
    assert (await heard(ears, asked(noise(1.0), **GREEDY)))[-1].usage is not None
    await ears.aclose()


async def test_without_a_wish_no_weight_is_rounded(zoo: Path) -> None:
    ears = opened(zoo / "whisper", device=Device.CPU)
    assert ears.info.dtype == "float32"
    await ears.aclose()


async def test_a_format_that_ctranslate2_lacks_here_goes_to_the_library(zoo: Path) -> None:
    spec = listener(zoo / "whisper")
    options = EngineOptions(dtype=ComputeDtype.BFLOAT16, device=Device.CPU, threads=1)
    choice, ears = registry.load_chosen(registry.choose(spec), spec, options)
    assert choice.manifest.name == "whisper"
    assert "whisper_ct2: dtype=bfloat16: ctranslate2 computes in" in choice.reason
    assert ears.info.dtype == "bfloat16"
    assert isinstance(text(await heard(ears, asked(noise(1.0), **GREEDY))), str)
    await ears.aclose()


async def test_a_converted_checkpoint_is_loaded_without_being_converted_again(zoo: Path) -> None:
    notes = []
    for _ in range(2):
        ears = opened(zoo / "whisper")
        notes.append(ears.info)
        await ears.aclose()
    assert notes[0] == notes[1]
    assert "converted by Stelae" in notes[0].notes[1]
