"""Special tokens that users type, in every tokenizer of the small checkpoints."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest
import zoo as checkpoints
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from stelae.engines.chat.tokens import FileTokens
from stelae.engines.chat.typed import Renamed, Typed

SOUND = [name for name in checkpoints.CHECKPOINTS if not name.startswith("broken")]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@cache
def opened(file: Path) -> tuple[Tokenizer, Tokenizer, dict[str, int], Renamed]:
    """A tokenizer, the same reading special tokens as text, its special tokens; ours."""
    plain, literal = Tokenizer.from_file(str(file)), Tokenizer.from_file(str(file))
    for one in (plain, literal):
        one.no_padding()
        one.no_truncation()
    literal.encode_special_tokens = True
    added = plain.get_added_tokens_decoder()
    specials = {token.content: i for i, token in added.items() if token.special}
    return plain, literal, specials, Renamed(plain, specials)


def file_of(zoo: Path, name: str) -> Path:
    file = zoo / name / "tokenizer.json"
    if not file.exists():
        pytest.skip("has no such tokenizer")
    return file


@pytest.mark.parametrize("name", SOUND)
def test_renamed_it_reads_as_before(zoo: Path, name: str) -> None:
    plain, _, specials, ours = opened(file_of(zoo, name))

    @settings(max_examples=20)
    @given(parts=st.lists(TEXTS | st.sampled_from(sorted(specials) or [""]), max_size=6))
    def check(parts: list[str]) -> None:
        text = "".join(parts)
        for alone in (True, False):
            wanted = plain.encode(text, add_special_tokens=alone).ids
            assert ours.encode(text, {}, plain=alone) == wanted

    check()


def unknown(tokenizer: Tokenizer) -> set[int | None]:
    """The token of letters that have none."""
    model = json.loads(tokenizer.to_str())["model"]
    text = model.get("unk_token")
    return {model.get("unk_id"), None if text is None else tokenizer.token_to_id(text)}


@pytest.mark.parametrize("name", SOUND)
def test_what_is_typed_is_read_as_text(zoo: Path, name: str) -> None:
    """As the library reads it if told so; its unigrams find special tokens even then."""
    file = file_of(zoo, name)
    _, literal, specials, _ = opened(file)
    tokens = FileTokens(file)
    own = set(specials.values()) - unknown(literal)

    @settings(max_examples=20)
    @given(parts=st.lists(TEXTS | st.sampled_from(sorted(specials) or [""]), max_size=6))
    def check(parts: list[str]) -> None:
        text = "".join(parts)
        typed = Typed(tokens.spelled)
        hidden = typed.hide(text)
        wanted = literal.encode(text, add_special_tokens=False).ids
        found = tokens.encode(hidden, plain=False, typed=typed.letters)
        assert found == wanted or not set(wanted).isdisjoint(specials.values())
        assert own.isdisjoint(found)

    check()
