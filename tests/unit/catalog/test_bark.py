"""Bark's files: what is read of them, and what is refused, by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stelae.catalog.abilities import Speaking
from stelae.catalog.spec import ModelSpec
from stelae.errors import ModelLoadFailed
from stelae.types import Task

Read = Callable[..., ModelSpec]
Edit = Callable[..., Path]

GENERATION, VOICES = "generation_config.json", "speaker_embeddings_path.json"
NAMES = ("v2/en_speaker_0", "v2/de_speaker_3", "announcer")


def test_voices_and_languages_are_those_of_the_files(zoo: Path, read: Read) -> None:
    spec = read(zoo / "bark")
    assert spec.speaking == Speaking(voices=NAMES, rate=24_000, languages=("en", "de"))
    assert spec.tasks == (Task.SPEAK,)


def test_voice_whose_files_were_not_fetched_is_left_out(edited: Edit, read: Read) -> None:
    folder = edited("bark", "config.json")
    (folder / "speaker_embeddings/v2/en_speaker_0_fine_prompt.npy").unlink()
    speaking = read(folder).speaking
    assert speaking is not None
    assert speaking.voices == NAMES[1:]


def test_model_without_voices_has_one_that_chance_gives(edited: Edit, read: Read) -> None:
    folder = edited("bark", "config.json")
    (folder / VOICES).unlink()
    speaking = read(folder).speaking
    assert speaking is not None
    assert (speaking.voices, speaking.languages) == (("default",), ())


@pytest.mark.parametrize("files", ["a.npy", {}, {"semantic_prompt": "a.npy"}])
def test_voice_without_its_three_files_is_refused(edited: Edit, read: Read, files: Any) -> None:
    folder = edited("bark", VOICES, announcer=files)
    with pytest.raises(ModelLoadFailed, match="'announcer' not one file of each kind"):
        read(folder)


def test_voice_beside_the_checkpoint_is_refused(edited: Edit, read: Read) -> None:
    parts = ("semantic_prompt", "coarse_prompt", "fine_prompt")
    folder = edited("bark", VOICES, announcer=dict.fromkeys(parts, "../../secret.npy"))
    with pytest.raises(ModelLoadFailed, match="leads out of its folder"):
        read(folder)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"sample_rate": None}, "sample_rate"),
        ({"sample_rate": 7}, "sample_rate=7"),
        ({"semantic_config": None}, "semantic_config"),
        ({"semantic_config": {"max_new_tokens": 10**9}}, "max_new_tokens=1000000000"),
    ],
)
def test_broken_settings_are_refused(
    edited: Edit, read: Read, changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(ModelLoadFailed, match=told):
        read(edited("bark", GENERATION, **changes))


def test_missing_settings_are_refused(edited: Edit, read: Read) -> None:
    folder = edited("bark", "config.json")
    assert json.loads((folder / GENERATION).read_text("utf-8"))
    (folder / GENERATION).unlink()
    with pytest.raises(ModelLoadFailed, match=r"no generation_config\.json"):
        read(folder)
