"""Tokens to words."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from fix_hearing import listener

from stelae.engines.listening.engine import vocabulary_of
from stelae.engines.listening.hearer import Aligned
from stelae.engines.listening.vocabulary import Vocabulary
from stelae.engines.listening.words import words_of


@pytest.fixture(scope="module")
def vocabulary(zoo: Path) -> Vocabulary:
    return vocabulary_of(listener(zoo / "whisper"))


def spoken(vocabulary: Vocabulary, text: str, language: str = "en") -> list[str]:
    ids = vocabulary.encode(text)
    aligned = Aligned([0.1 * i for i in range(len(ids) + 1)], [0.5] * len(ids))
    (words,) = words_of([ids], aligned, vocabulary, language, 0.0, (0.0, 1e9))
    assert "".join(word.word for word in words) == text
    return [word.word for word in words]


def test_words_end_before_blanks_and_keep_their_punctuation(vocabulary: Vocabulary) -> None:
    text = ' He said, "some water (and clay)." Well...'
    assert spoken(vocabulary, text) == [
        " He", " said,", ' "some', " water", " (and", ' clay)."', " Well...",
    ]  # fmt: skip


def test_letters_of_several_bytes_are_not_torn(vocabulary: Vocabulary) -> None:
    assert spoken(vocabulary, " čaß žena") == [" čaß", " žena"]


def test_without_blanks_each_character_is_a_word(vocabulary: Vocabulary) -> None:
    assert spoken(vocabulary, "中文。“中”", "zh") == ["中", "文。", "“中”"]


def test_a_word_lasts_from_its_first_token_to_the_next_word(vocabulary: Vocabulary) -> None:
    texts = [vocabulary.encode(" the city"), vocabulary.encode(" water")]
    tokens = sum(map(len, texts))
    aligned = Aligned([float(i) for i in range(tokens + 1)], [0.25] * tokens)
    within = (10.5, 10.0 + tokens - 0.5)
    found = words_of(texts, aligned, vocabulary, "en", 10.0, within)
    assert [word.word for words in found for word in words] == [" the", " city", " water"]
    ends = [(word.start, word.end) for words in found for word in words]
    assert ends[0][0] == within[0]
    assert all(one[1] == other[0] for one, other in pairwise(ends))
    assert ends[-1][1] == within[1]
    assert found[0][0].probability == 0.25
