"""Tokens for callers to look at; expected ones are those of the tokenizer's own library."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.catalog.spec import ModelSpec
from stelae.errors import InvalidInput
from stelae.service.tokens import Tokens

TEXT = "the river flows, naïvely, to the sea"


@pytest.fixture(scope="module")
def spec(zoo: Path) -> ModelSpec:
    return Catalog([ModelEntry(name="m", source=str(zoo / "bert-mean"))]).spec("m")


@pytest.fixture(scope="module")
def library(zoo: Path) -> Tokenizer:
    made = Tokenizer.from_file(str(zoo / "bert-mean" / "tokenizer.json"))
    made.no_padding()
    made.no_truncation()
    return made


@pytest.mark.parametrize("specials", [True, False])
async def test_texts_are_cut_as_the_library_does(
    spec: ModelSpec, library: Tokenizer, specials: bool
) -> None:
    (made,) = await Tokens().read(spec, [TEXT], specials=specials)
    expected = library.encode(TEXT, add_special_tokens=specials)
    assert [token.id for token in made] == expected.ids
    assert [(token.start, token.stop) for token in made] == expected.offsets
    assert [token.special for token in made] == list(map(bool, expected.special_tokens_mask))
    assert all(t.text == TEXT[t.start : t.stop] for t in made if not t.special)


async def test_texts_are_not_cut_short_and_may_be_empty(spec: ModelSpec) -> None:
    long, empty = await Tokens().read(spec, ["river " * 1000, ""])
    assert len(long) > 1000
    assert all(token.special for token in empty)


async def test_ids_become_texts_again(spec: ModelSpec, library: Tokenizer) -> None:
    ids = library.encode(TEXT).ids
    tokens = Tokens()
    assert await tokens.texts(spec, [ids]) == [library.decode(ids)]
    whole = await tokens.texts(spec, [ids, []], specials=True)
    assert whole == [library.decode(ids, skip_special_tokens=False), ""]


@pytest.mark.parametrize("wrong", [-1, 10**6, 2**40])
async def test_ids_of_no_token_are_named_by_their_place(spec: ModelSpec, wrong: int) -> None:
    with pytest.raises(InvalidInput, match=r"ids\[1\]") as caught:
        await Tokens().texts(spec, [[1], [wrong]])
    assert caught.value.param == "ids"
