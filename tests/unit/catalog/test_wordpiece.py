"""A vocabulary without ``tokenizer.json``: the tokenizer that transformers builds of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from stelae.catalog.spec import ModelSpec
from stelae.catalog.wordpiece import open_tokenizer
from stelae.errors import ModelLoadFailed, StelaeError, UnsupportedCheckpoint

Read = Callable[..., ModelSpec]
Edit = Callable[..., Path]

TEXTS = [
    "The King's stone tablets, ÄÖ zweimal Ünïcode 中文 Σίσυφος 1234 [SEP] hello\0world",
    "",
    "  \n\t ",
    "e\u0301 [MASK] [UNK] [mask] \ufffd \u200b",
    "k" * 300,
    "don't we'll it's 12,345.67",
]


@pytest.fixture
def bare(edited: Edit) -> Callable[..., Path]:
    """A checkpoint with a vocabulary alone, and options of its tokenizer."""

    def make(name: str = "bert-mean", **options: Any) -> Path:
        folder = edited(name, "tokenizer_config.json", **options)
        (folder / "tokenizer.json").unlink()
        return folder

    return make


OPTIONS: list[dict[str, Any]] = [
    {},
    {"do_lower_case": False},
    {"strip_accents": False},
    {"do_lower_case": False, "strip_accents": True},
    {"tokenize_chinese_chars": False},
    {"tokenizer_class": None},
    {"tokenizer_class": "BertTokenizerFast"},
    {"cls_token": {"__type": "AddedToken", "content": "[CLS]", "lstrip": False}},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_ids_are_those_of_transformers(
    bare: Callable[..., Path], read: Read, options: dict[str, Any]
) -> None:
    folder = bare(**options)
    spec = read(folder)
    assert spec.tokenizer == "vocab.txt"
    ours = open_tokenizer(folder / spec.tokenizer, spec.words)
    theirs = AutoTokenizer.from_pretrained(folder)
    for text in TEXTS:
        assert ours.encode(text).ids == theirs(text).input_ids
        assert ours.encode(text, "a stone").ids == theirs(text, "a stone").input_ids


def test_tokenizer_in_its_transformers_folder_is_found(
    zoo: Path, tmp_path: Path, read: Read
) -> None:
    shutil.copytree(zoo / "bert-nested", tmp_path / "nested")
    (tmp_path / "nested/0_Transformer/tokenizer.json").unlink()
    spec = read(tmp_path / "nested")
    assert spec.tokenizer == "0_Transformer/vocab.txt"
    assert spec.words is not None


def test_whole_tokenizer_goes_before_the_vocabulary(zoo: Path, read: Read) -> None:
    spec = read(zoo / "bert-mean")
    assert (spec.tokenizer, spec.words) == ("tokenizer.json", None)


REFUSED: list[tuple[dict[str, Any], type[StelaeError], str]] = [
    ({"do_basic_tokenize": False}, UnsupportedCheckpoint, "do_basic_tokenize"),
    ({"never_split": ["a"]}, UnsupportedCheckpoint, "never_split"),
    ({"mask_token": "<mask>"}, ModelLoadFailed, "lacks the special tokens <mask>"),
    ({"mask_token": 5}, ModelLoadFailed, "mask_token=5"),
    ({"tokenizer_class": "RobertaTokenizer"}, UnsupportedCheckpoint, "only vocab.txt of a Roberta"),
    (
        {"added_tokens_decoder": {"900": {"content": "[NEW]"}}},
        UnsupportedCheckpoint,
        r"[NEW]",
    ),
]


@pytest.mark.parametrize(("options", "error", "part"), REFUSED)
def test_vocabulary_that_does_not_say_all_is_refused_by_name(
    bare: Callable[..., Path],
    read: Read,
    options: dict[str, Any],
    error: type[StelaeError],
    part: str,
) -> None:
    with pytest.raises(error) as caught:
        read(bare(**options))
    assert part in str(caught.value)


def test_tokens_added_in_a_file_of_their_own_are_refused(
    bare: Callable[..., Path], read: Read
) -> None:
    folder = bare()
    (folder / "added_tokens.json").write_text(json.dumps({"[NEW]": 300}))
    with pytest.raises(UnsupportedCheckpoint, match=r"adds \[NEW\]"):
        read(folder)


@pytest.mark.parametrize("name", ["sentencepiece.bpe.model", "spiece.model", "merges.txt"])
def test_tokenizer_without_a_fast_form_says_what_to_do(
    bare: Callable[..., Path], read: Read, name: str
) -> None:
    folder = bare(tokenizer_class="XLMRobertaTokenizer")
    (folder / "vocab.txt").rename(folder / name)
    with pytest.raises(UnsupportedCheckpoint, match=name) as caught:
        read(folder)
    assert "save_pretrained" in str(caught.value.info.hint)


def test_vocabulary_that_is_no_text_gives_a_typed_error(
    bare: Callable[..., Path], read: Read
) -> None:
    folder = bare()
    (folder / "vocab.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ModelLoadFailed, match="no vocabulary"):
        read(folder)


def test_missing_tokenizer_is_named(bare: Callable[..., Path], read: Read) -> None:
    folder = bare()
    (folder / "vocab.txt").unlink()
    with pytest.raises(UnsupportedCheckpoint, match=r"no tokenizer\.json"):
        read(folder)
