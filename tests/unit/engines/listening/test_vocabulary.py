"""Tokens of Whisper."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fix_hearing import listener
from tokenizers import Tokenizer

from stelae.engines.listening.engine import vocabulary_of
from stelae.engines.listening.vocabulary import Vocabulary
from stelae.errors import UnsupportedCheckpoint


def edited(folder: Path, without: str) -> Tokenizer:
    """A checkpoint's tokenizer that lacks a token."""
    content = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    kept = [token for token in content["added_tokens"] if token["content"] != without]
    content["added_tokens"] = kept
    content["model"]["vocab"].pop(without, None)
    return Tokenizer.from_str(json.dumps(content))


def test_each_token_is_at_the_place_of_its_id(zoo: Path) -> None:
    vocabulary = vocabulary_of(listener(zoo / "whisper"))
    names = vocabulary.names()
    assert names[vocabulary.end] == "<|endoftext|>"
    assert names[vocabulary.first_time] == "<|0.00|>"
    assert names[vocabulary.languages["cs"]] == "<|cs|>"
    assert len(set(names)) == len(names)


def test_texts_come_back_without_times_and_marks(zoo: Path) -> None:
    vocabulary = vocabulary_of(listener(zoo / "whisper"))
    text = " some water, čaß 中"
    ids = [vocabulary.first_time, *vocabulary.encode(text), vocabulary.first_time + 3]
    assert vocabulary.decode([*vocabulary.prefix("de", translate=True), *ids]) == text


def test_marks_in_a_prompt_are_plain_text(zoo: Path) -> None:
    vocabulary = vocabulary_of(listener(zoo / "whisper"))
    assert all(token < vocabulary.end for token in vocabulary.encode("<|endoftext|> <|0.00|>"))


def test_model_of_one_language_is_told_none(zoo: Path) -> None:
    vocabulary = vocabulary_of(listener(zoo / "whisper-english"))
    assert vocabulary.prefix("en", translate=False) == [vocabulary.start]


@pytest.mark.parametrize("token", ["<|startoftranscript|>", "<|notimestamps|>", "<|de|>"])
def test_tokenizer_without_what_whisper_needs_is_refused_by_name(zoo: Path, token: str) -> None:
    with pytest.raises(UnsupportedCheckpoint) as caught:
        Vocabulary(edited(zoo / "whisper", token), ("en", "de", "cs"))
    assert token in caught.value.message
