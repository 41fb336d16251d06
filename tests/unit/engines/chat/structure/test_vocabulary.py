"""Tokenizers of other kinds than by bytes, as the library of grammars sees them."""

from __future__ import annotations

from pathlib import Path

import pytest
from llguidance import LLTokenizer
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

from stelae.engines.chat.structure.compiler import Compiler
from stelae.engines.chat.structure.grammar import Grammar
from stelae.engines.chat.structure.guide import Guide
from stelae.engines.chat.structure.vocabulary import of_file
from stelae.engines.chat.tokens import FileTokens
from stelae.errors import InvalidInput
from stelae.types import Structure


def file_of(tokenizer: Tokenizer, folder: Path) -> FileTokens:
    tokenizer.save(str(folder / "tokenizer.json"))
    return FileTokens(folder / "tokenizer.json")


def pieces() -> Tokenizer:
    known = [("<unk>", 0.0), ("▁a", -1.0), ("b", -2.0), ("▁", -3.0), ("a", -3.0), ("</s>", 0.0)]
    made = Tokenizer(models.Unigram(known, 0))
    made.pre_tokenizer, made.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    return made


def fallback() -> Tokenizer:
    known = {"a": 0, "b": 1, "▁": 2, "</s>": 3, "▁a": 4, "<0x0A>": 5}
    made = Tokenizer(models.BPE(vocab=known, merges=[("▁", "a")], byte_fallback=True))
    made.normalizer = normalizers.Replace(" ", "▁")
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    made.decoder = decoders.Sequence(steps)
    return made


def written(form: Structure) -> str:
    empty = LLTokenizer(fallback().to_str(), eos_token=3)
    grammar = Grammar(empty)
    return grammar.text(grammar.form(form))


async def guide(tokens: FileTokens, size: int, ends: list[int], form: Structure) -> Guide:
    compiler = Compiler(lambda: of_file(tokens, size, ends), size)
    (made,) = await compiler.guides(lambda _: written(form), 1)
    return made


@pytest.mark.parametrize("make", [pieces, fallback])
async def test_signs_for_spaces_are_spaces(make: object, tmp_path: Path) -> None:
    tokenizer: Tokenizer = make()  # type: ignore[operator]
    made = await guide(file_of(tokenizer, tmp_path), 6, [], Structure(choice=[" ab"]))
    for piece in ("▁a", "b"):
        assert [tokenizer.id_to_token(i) for i in made.allowed().tolist()] == [piece]
        made.accept(tokenizer.token_to_id(piece))
    assert made.over


@pytest.mark.parametrize("make", [pieces, fallback])
async def test_no_space_is_made_up_where_there_is_none(make: object, tmp_path: Path) -> None:
    tokenizer: Tokenizer = make()  # type: ignore[operator]
    made = await guide(file_of(tokenizer, tmp_path), 6, [], Structure(choice=["bab"]))
    for piece in ("b", "a", "b"):
        assert [tokenizer.id_to_token(i) for i in made.allowed().tolist()] == [piece]
        made.accept(tokenizer.token_to_id(piece))
    assert made.over


async def test_model_without_a_token_that_ends_texts_ends_them_too(tmp_path: Path) -> None:
    made = await guide(file_of(fallback(), tmp_path), 6, [], Structure(regex="a{1,2}"))
    for _ in range(2):
        assert made.allowed().tolist() == [0]
        made.accept(0)
    assert made.over


async def test_tokens_without_a_text_are_never_drawn(tmp_path: Path) -> None:
    made = await guide(file_of(fallback(), tmp_path), 64, [3], Structure(regex=".*"))
    assert set(made.allowed().tolist()) == {0, 1, 2, 3, 4}


async def test_tokenizer_that_is_not_known_is_refused(tmp_path: Path) -> None:
    words = Tokenizer(models.WordPiece({"[UNK]": 0, "a": 1}, unk_token="[UNK]"))
    words.decoder = decoders.WordPiece()
    with pytest.raises(InvalidInput, match="cannot be held to a form"):
        await guide(file_of(words, tmp_path), 2, [1], Structure(choice=["a"]))
