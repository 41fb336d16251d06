"""Checkpoints that read aloud: what is read of them, and what is refused, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stelae.catalog.abilities import Speaking
from stelae.catalog.spec import ModelSpec
from stelae.errors import InvalidInput, ModelLoadFailed, UnsupportedCheckpoint
from stelae.types import Task

Read = Callable[..., ModelSpec]
Edit = Callable[..., Path]

CONFIG, TOKENS = "config.json", "tokenizer_config.json"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("vits", Speaking(voices=("default",), rate=16_000, languages=("eng",))),
        ("vits-voices", Speaking(voices=("0", "1", "2"), rate=16_000, languages=("fra",))),
    ],
)
def test_model_reads_aloud_and_does_nothing_else(
    zoo: Path, read: Read, name: str, expected: Speaking
) -> None:
    spec = read(zoo / name)
    assert spec.speaking == expected
    assert spec.tasks == (Task.SPEAK,)
    assert spec.outputs == ()


def test_language_that_is_not_stated_is_not_made_up(edited: Edit, read: Read) -> None:
    speaking = read(edited("vits", TOKENS, language=None)).speaking
    assert speaking is not None
    assert speaking.languages == ()


def test_sentences_may_be_kept_shorter(zoo: Path, read: Read) -> None:
    assert read(zoo / "vits", max_tokens=100).max_tokens == 100
    with pytest.raises(InvalidInput, match="choose 1"):
        read(zoo / "vits", max_tokens=9000)


@pytest.mark.parametrize(
    ("file", "changes", "told"),
    [
        (TOKENS, {"phonemize": True}, "espeak-ng"),
        (TOKENS, {"phonemize": None}, "espeak-ng"),
        (TOKENS, {"normalize": False}, "normalize=False"),
        (TOKENS, {"tokenizer_class": "BertTokenizer"}, "BertTokenizer"),
    ],
)
def test_texts_that_would_be_read_otherwise_are_refused(
    edited: Edit, read: Read, file: str, changes: dict[str, Any], told: str
) -> None:
    folder = edited("vits", file, **changes)
    with pytest.raises(UnsupportedCheckpoint) as caught:
        read(folder)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    "changes", [{"sampling_rate": None}, {"sampling_rate": 0}, {"num_speakers": "two"}]
)
def test_broken_configuration_is_refused(edited: Edit, read: Read, changes: dict[str, Any]) -> None:
    folder = edited("vits", CONFIG, **changes)
    with pytest.raises(ModelLoadFailed, match=next(iter(changes))):
        read(folder)


def test_model_without_letters_is_refused(edited: Edit, read: Read) -> None:
    folder = edited("vits", CONFIG)
    (folder / "vocab.json").unlink()
    with pytest.raises(ModelLoadFailed, match=r"vocab\.json is missing"):
        read(folder)


@pytest.mark.parametrize("number", [1.5, -1, 37, "a", [1]])
def test_letter_with_a_number_that_the_model_lacks_is_refused(
    edited: Edit, read: Read, number: object
) -> None:
    folder = edited("vits", "vocab.json", a=number)
    with pytest.raises(ModelLoadFailed, match=r"sets 'a' to .* 0 to 36"):
        read(folder)
