"""Checkpoints that write down what is said: what is read of them, and what is refused, by name."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stelae.catalog.abilities import Hearing
from stelae.catalog.hearing import ARCHITECTURE, CONVERTED
from stelae.catalog.spec import Backbone, ModelSpec
from stelae.errors import InvalidInput, ModelLoadFailed, UnsupportedCheckpoint
from stelae.types import Modality, Task

Read = Callable[..., ModelSpec]
Edit = Callable[..., Path]

CONFIG, GENERATION, SOUND = (
    "config.json",
    "generation_config.json",
    "preprocessor_config.json",
)
SEVERAL = ("en", "de", "cs")


@pytest.mark.parametrize(
    ("name", "expected", "written"),
    [
        ("whisper", Hearing(languages=SEVERAL, translates=True, window=2.0), 64),
        ("whisper-english", Hearing(languages=("en",), window=2.0), 64),
        ("whisper-full", Hearing(languages=SEVERAL, translates=True, window=30.0), 64),
    ],
)
def test_model_listens_and_does_nothing_else(
    zoo: Path, read: Read, name: str, expected: Hearing, written: int
) -> None:
    spec = read(zoo / name)
    assert spec.hearing == expected
    assert spec.tasks == (Task.TRANSCRIBE,)
    assert spec.inputs == (Modality.AUDIO,)
    assert spec.outputs == ()
    assert spec.max_tokens == written
    assert isinstance(spec.backbone, Backbone)
    assert spec.backbone.architecture == ARCHITECTURE


def test_model_without_a_file_on_sound_hears_as_published_ones_do(
    zoo: Path, edited: Edit, read: Read
) -> None:
    folder = edited("whisper-full", CONFIG)
    (folder / SOUND).unlink()
    assert read(folder).hearing == read(zoo / "whisper-full").hearing
    trunk = read(folder).backbone
    assert isinstance(trunk, Backbone)
    assert trunk.config["spectrum"]["feature_size"] == 128


def test_model_that_was_not_trained_to_translate_does_not(edited: Edit, read: Read) -> None:
    folder = edited("whisper", GENERATION, task_to_id={"transcribe": 611})
    hearing = read(folder).hearing
    assert hearing is not None
    assert not hearing.translates


@pytest.mark.parametrize(
    ("file", "changes", "told"),
    [
        (CONFIG, {"activation_function": "relu"}, "activation_function='relu'"),
        (CONFIG, {"scale_embedding": True}, "scale_embedding=True"),
        (SOUND, {"feature_extractor_type": "WavLM"}, "WavLM"),
        (SOUND, {"hop_length": 200}, "hop_length=200"),
        (SOUND, {"sampling_rate": 8_000}, "sampling_rate=8000"),
        (SOUND, {"dither": 0.1}, "dither=0.1"),
    ],
)
def test_sound_that_would_be_heard_otherwise_is_refused(
    edited: Edit, read: Read, file: str, changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(UnsupportedCheckpoint, match=told):
        read(edited("whisper", file, **changes))


@pytest.mark.parametrize(
    ("file", "changes", "told"),
    [
        (CONFIG, {"max_source_positions": 99}, "makes 100 positions"),
        (CONFIG, {"max_target_positions": "many"}, "max_target_positions='many'"),
        (GENERATION, {"lang_to_id": ["en"]}, "lang_to_id"),
        (SOUND, {"chunk_length": 0}, "chunk_length=0"),
    ],
)
def test_files_that_contradict_or_mean_nothing_are_refused(
    edited: Edit, read: Read, file: str, changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(ModelLoadFailed, match=told):
        read(edited("whisper", file, **changes))


def test_windows_cannot_be_made_longer_or_shorter(zoo: Path, read: Read) -> None:
    with pytest.raises(InvalidInput, match="leave it out"):
        read(zoo / "whisper", max_tokens=32)


def test_model_without_a_tokenizer_is_refused_with_where_to_find_one(
    edited: Edit, read: Read
) -> None:
    folder = edited("whisper", CONFIG)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(UnsupportedCheckpoint, match=r"tokenizer\.json"):
        read(folder)


def written(*tensors: tuple[str, tuple[int, ...]], kind: str = "WhisperSpec") -> bytes:
    """A file of ctranslate2 with zeros for numbers."""

    def named(name: str) -> bytes:
        return struct.pack("<H", len(name) + 1) + name.encode() + bytes(1)

    data = struct.pack("<I", 6) + named(kind) + struct.pack("<II", 3, len(tensors))
    for name, shape in tensors:
        size = 4 * math.prod(shape)
        data += named(name) + struct.pack(f"<B{len(shape)}IBI", len(shape), *shape, 0, size)
        data += bytes(size)
    return data


HEARD = ("encoder/conv1/weight", (2, 128, 3))
PLACES = ("decoder/position_encodings/encodings", (96, 2))


def converted(folder: Path, tokens: list[str], **config: Any) -> Path:
    """What a converted checkpoint looks like from outside."""
    folder.mkdir()
    (folder / "model.bin").write_bytes(written(PLACES, HEARD))
    (folder / "vocabulary.json").write_text(json.dumps(tokens), "utf-8")
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    (folder / "tokenizer.json").write_text("{}", "utf-8")
    return folder


def tokens_of(codes: tuple[str, ...]) -> list[str]:
    names = ("endoftext", "startoftranscript", *codes, "translate", "transcribe")
    return ["a", "b", *(f"<|{name}|>" for name in names)]


def test_converted_model_is_known_by_its_tokens(tmp_path: Path, read: Read) -> None:
    spec = read(converted(tmp_path / "ct2", tokens_of(SEVERAL), lang_ids=[4, 5, 6]))
    assert spec.hearing == Hearing(languages=SEVERAL, translates=True, window=30.0)
    assert isinstance(spec.backbone, Backbone)
    assert spec.backbone.architecture == CONVERTED
    assert spec.backbone.weights == ("model.bin",)
    assert spec.backbone.config["spectrum"]["feature_size"] == 128
    assert spec.max_tokens == 96


@pytest.mark.parametrize("codes", [("en",), ()])
def test_converted_model_of_one_language_translates_nothing(
    tmp_path: Path, read: Read, codes: tuple[str, ...]
) -> None:
    spec = read(converted(tmp_path / "ct2", tokens_of(codes)))
    assert spec.hearing == Hearing(languages=("en",))


def test_converted_model_of_english_alone_is_told_by_its_number_of_tokens(
    tmp_path: Path, read: Read
) -> None:
    tokens = tokens_of(SEVERAL)
    filled = tokens + [f"t{i}" for i in range(51_864 - len(tokens))]
    assert read(converted(tmp_path / "ct2", filled)).hearing == Hearing(languages=("en",))


def test_converted_model_of_another_kind_is_not_taken_for_one_that_listens(
    tmp_path: Path, read: Read
) -> None:
    folder = converted(tmp_path / "ct2", tokens_of(SEVERAL))
    (folder / "model.bin").write_bytes(written(kind="TransformerSpec"))
    with pytest.raises(ModelLoadFailed):
        read(folder)


def test_converted_model_without_a_vocabulary_is_refused(tmp_path: Path, read: Read) -> None:
    folder = converted(tmp_path / "ct2", tokens_of(SEVERAL))
    (folder / "vocabulary.json").unlink()
    with pytest.raises(ModelLoadFailed, match=r"vocabulary\.json"):
        read(folder)
    (folder / "vocabulary.txt").write_text("\n".join(tokens_of(SEVERAL)), "utf-8")
    assert read(folder).hearing is not None


def test_converted_model_whose_tokens_are_not_whispers_is_refused(
    tmp_path: Path, read: Read
) -> None:
    with pytest.raises(ModelLoadFailed, match="startoftranscript"):
        read(converted(tmp_path / "ct2", ["a", "b"]))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (written(PLACES, HEARD)[:-1], "ends behind the file"),
        (written(PLACES, HEARD)[:60], "broken or cut off"),
        (written(PLACES), "encoder/conv1/weight"),
        (written(("encoder/conv1/weight", (2, 0, 3)), PLACES), "encoder/conv1/weight"),
        (written(PLACES, HEARD)[:22] + b"\xff\xff\xff\xff", "promises 4294967295 tensors"),
    ],
)
def test_converted_model_with_broken_numbers_is_refused(
    tmp_path: Path, read: Read, data: bytes, told: str
) -> None:
    folder = converted(tmp_path / "ct2", tokens_of(SEVERAL))
    (folder / "model.bin").write_bytes(data)
    with pytest.raises(ModelLoadFailed, match=told):
        read(folder)
