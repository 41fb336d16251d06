"""Texts to sentences."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stelae.engines.speech.sentences import sentences


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ('He said "no." Then he left.', ['He said "no."', "Then he left."]),
        ("Pi is 3.14 or so", ["Pi is 3.14 or so"]),
        ("J. Doe wrote it", ["J. Doe wrote it"]),
        ("What?! No...  Yes", ["What?!", "No...", "Yes"]),
        ("A title\n\nA line", ["A title", "A line"]),
        ("这是一。这是二！", ["这是一。", "这是二！"]),  # noqa: RUF001  # signs as people write them
        (" \n ", []),
        ("", []),
    ],
)
def test_texts_are_cut_behind_their_sentences(text: str, parts: list[str]) -> None:
    assert sentences(text, 400) == parts


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("one two three, four five", ["one two three,", "four five"]),
        ("one two three four five six", ["one two three four", "five six"]),
        ("abcdefghij" * 5, ["abcdefghij" * 2, "abcdefghij" * 2, "abcdefghij"]),
    ],
)
def test_long_sentences_are_cut_at_the_best_place(text: str, parts: list[str]) -> None:
    assert sentences(text, 20) == parts


@given(st.text(alphabet="ab ,.!?\n\"'。", max_size=200), st.integers(1, 50))
def test_nothing_but_space_is_lost(text: str, most: int) -> None:
    parts = sentences(text, most)
    assert "".join("".join(parts).split()) == "".join(text.split())
    assert all(0 < len(part) <= most for part in parts)
