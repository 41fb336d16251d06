"""Tokens as text: special ones are left out, save those that are signs."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from stelae.engines.chat.tokens import FileTokens


@pytest.fixture
def file(tmp_path: Path) -> Path:
    letters = {letter: i for i, letter in enumerate(pre_tokenizers.ByteLevel.alphabet())}
    made = Tokenizer(models.BPE(vocab=letters, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(text, special=True) for text in ("<|end|>", "[CALLS]")])
    path = tmp_path / "tokenizer.json"
    made.save(str(path))
    return path


def test_special_tokens_are_left_out(file: Path) -> None:
    tokens = FileTokens(file)
    ids = tokens.encode("a é [CALLS] b<|end|>", plain=False)
    assert tokens.decode(ids) == "a é  b"


def test_signs_stay_in_the_text_and_others_do_not(file: Path) -> None:
    tokens = FileTokens(file, {"[CALLS]", "<unknown>"})
    ids = tokens.encode("a é [CALLS] b<|end|>", plain=False)
    assert tokens.decode(ids) == "a é [CALLS] b"


def test_a_text_without_signs_reads_the_same(file: Path) -> None:
    ids = FileTokens(file).encode("plain ü<|end|>", plain=False)
    assert FileTokens(file, {"[CALLS]"}).decode(ids) == FileTokens(file).decode(ids)
