"""Tokens of a window cut into segments."""

from __future__ import annotations

from pathlib import Path

import pytest
from fix_hearing import listener

from stelae.engines.listening.engine import vocabulary_of
from stelae.engines.listening.segments import parse
from stelae.engines.listening.vocabulary import Vocabulary

TICKS = 100


@pytest.fixture(scope="module")
def vocabulary(zoo: Path) -> Vocabulary:
    return vocabulary_of(listener(zoo / "whisper"))


def cut(
    vocabulary: Vocabulary, *parts: int | str, more: bool = True
) -> tuple[list[tuple[int, int, str]], int]:
    """Segments with their texts, and where the next window begins; numbers are times."""
    tokens: list[int] = []
    for part in parts:
        time = isinstance(part, int)
        tokens += [vocabulary.first_time + part] if time else vocabulary.encode(str(part))
    parsed = parse(tokens, vocabulary, TICKS, more=more)
    found = [(s.start, s.end, vocabulary.decode(s.tokens)) for s in parsed.stretches]
    return found, parsed.done


def test_what_follows_the_last_pair_of_times_is_heard_again(vocabulary: Vocabulary) -> None:
    found = cut(vocabulary, 0, " one", 20, 25, " two", 60, 60, " thr")
    assert found == ([(0, 20, " one"), (25, 60, " two")], 60)


def test_a_single_time_at_the_end_ends_the_window(vocabulary: Vocabulary) -> None:
    found = cut(vocabulary, 0, " one", 20, 25, " two", 60)
    assert found == ([(0, 20, " one"), (25, 60, " two")], TICKS)


def test_a_pair_at_the_end_says_that_more_is_said_behind_it(vocabulary: Vocabulary) -> None:
    assert cut(vocabulary, 0, " one", 20, 20) == ([(0, 20, " one")], 20)


def test_without_pairs_the_window_is_one_segment(vocabulary: Vocabulary) -> None:
    assert cut(vocabulary, 5, " one two", 80) == ([(5, 80, " one two")], TICKS)
    assert cut(vocabulary, " one two", 80) == ([(0, 80, " one two")], TICKS)
    assert cut(vocabulary, 0, " one two") == ([(0, TICKS, " one two")], TICKS)
    assert cut(vocabulary, " one two") == ([(0, TICKS, " one two")], TICKS)


def test_a_segment_that_does_not_end_is_heard_again_from_where_it_begins(
    vocabulary: Vocabulary,
) -> None:
    assert cut(vocabulary, 5, " one tw") == ([], 5)


def test_behind_the_last_window_there_is_nothing_to_hear_again(vocabulary: Vocabulary) -> None:
    assert cut(vocabulary, 5, " one two", more=False) == ([(5, TICKS, " one two")], TICKS)


def test_a_window_that_would_begin_where_it_began_is_done(vocabulary: Vocabulary) -> None:
    assert cut(vocabulary, 0, 0, " one")[1] == TICKS
    assert cut(vocabulary, 0, " one", 150, 150)[1] == TICKS


def test_nothing_written_is_nothing_said(vocabulary: Vocabulary) -> None:
    assert cut(vocabulary) == ([(0, TICKS, "")], TICKS)
