"""Texts in the letters that a model knows."""

from __future__ import annotations

import pytest

from stelae.engines.speech.letters import TOLD, Letters
from stelae.errors import InvalidInput


def letters(known: str) -> Letters:
    return Letters(lambda letter: letter.lower() in known, "write it otherwise")


@pytest.mark.parametrize(
    ("known", "text", "read"),
    [
        ("abc", "Ab c", "Ab c"),
        ("abc", "a, b (c).", "a b c"),
        ("abc,", "a, b.", "a, b"),
        ("abc'", "a’b", "a'b"),  # noqa: RUF001  # signs as people write them
        ("abc", "a'b", "ab"),
        ("abc", "a\u00adb\tc\r\na", "ab c a"),
        ("é", "e\u0301", "é"),
        ("abc", "…", ""),
    ],
)
def test_text_is_read_as_the_model_can(known: str, text: str, read: str) -> None:
    assert letters(known).read(text) == read


@pytest.mark.parametrize("letter", ["7", "€", "д", "\u0301", "😀", "+"])
def test_what_would_be_heard_is_never_dropped(letter: str) -> None:
    with pytest.raises(InvalidInput, match=r"cannot read: .*; write it otherwise") as caught:
        letters("abc").read(f"a {letter} b")
    assert repr(letter) in caught.value.message
    assert caught.value.param == "text"


def test_refusal_lists_each_letter_once_and_not_too_many() -> None:
    text = "".join(chr(0x4E00 + i % (TOLD + 5)) for i in range(1000))
    with pytest.raises(InvalidInput, match="and 5 more") as caught:
        letters("abc").read(text)
    assert len(caught.value.message) < 500
