"""The conversations of the small chat model, and the tokenizer that is made from them."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

from repo import ROOT
from tiny.chat.dialogs import TEMPLATE, dialog
from tiny.chat.tokenizer import learned_merges
from tiny.train.chat import write_reading

FOLDER = ROOT / "tests" / "data" / "chat"


def test_tokenizer_is_made_again_as_it_is_kept(tmp_path: Path) -> None:
    write_reading(tmp_path)
    for file in ("tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / file).read_bytes() == (FOLDER / file).read_bytes()


def test_template_is_that_of_the_checkpoint() -> None:
    kept = json.loads((FOLDER / "tokenizer_config.json").read_text("utf-8"))
    assert kept["chat_template"] == TEMPLATE


def test_conversations_follow_from_the_seed() -> None:
    first, second = ([dialog(random.Random(5), tools=True)] for _ in range(2))
    assert first == second


def test_merges_take_the_most_frequent_pair_and_then_the_first_of_the_alphabet() -> None:
    counts = Counter({"abab": 1, "cd": 2, "bx": 1})
    assert learned_merges(counts, 3) == [("a", "b"), ("c", "d"), ("ab", "ab")]


def test_every_digit_is_a_token_of_its_own() -> None:
    vocabulary = json.loads((FOLDER / "tokenizer.json").read_text("utf-8"))["model"]["vocab"]
    assert [
        token for token in vocabulary if len(token) > 1 and set(token) & set("0123456789")
    ] == []
