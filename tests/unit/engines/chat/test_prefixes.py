"""Memories of ended texts: the longest common beginning is lent, the oldest are let go."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from stelae.engines.chat.prefixes import SHORTEST, Ids, Prefixes, Read

tokens = st.lists(st.integers(0, 3), max_size=40)


class Counted:
    """A memory that knows whether it was given back."""

    def __init__(self) -> None:
        self.released = False

    def release(self) -> None:
        self.released = True


def read(ids: list[int], kind: str = "plain") -> Read[Counted]:
    return Read(kind, Ids(ids), Counted())


@given(tokens, tokens)
def test_common_beginnings_are_counted(a: list[int], b: list[int]) -> None:
    pairs = zip(a, b, strict=False)
    alike = itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)
    assert Ids(a).common(Ids(b)) == len(list(alike))


def test_the_longest_beginning_is_found_and_never_the_last_token() -> None:
    kept = Prefixes[Counted]()
    base = list(range(40))
    short, long = read(base[:20]), read([*base[:30], 99])
    kept.keep(long)
    kept.keep(short)
    assert kept.find("plain", base, []) == (long.memory, 30)
    assert kept.find("plain", base[:20], [])[1] == 19  # type: ignore[index]  # found before
    assert kept.find("other", base, []) is None
    assert kept.find("plain", base[: SHORTEST - 1], []) is None
    running = read(base[:36])
    assert kept.find("plain", base, [running]) == (running.memory, 36)


def test_a_memory_that_another_covers_is_let_go() -> None:
    kept = Prefixes[Counted]()
    first, second = read(list(range(20))), read(list(range(50)))
    kept.keep(first)
    kept.keep(second)
    assert first.memory.released
    assert not second.memory.released


def test_those_used_longest_ago_make_room() -> None:
    kept = Prefixes[Counted](most=3)
    reads = [read([i] * 64) for i in range(4)]
    for made in reads:
        kept.keep(made)
    assert [made.memory.released for made in reads] == [True, False, False, False]
    kept.find("plain", [1] * 70, [])
    kept.fit(room=64)
    assert [made.memory.released for made in reads] == [True, False, True, True]
    kept.fit(places=0)
    assert all(made.memory.released for made in reads)


def test_nothing_is_kept_nor_lent_where_numbers_must_not_change() -> None:
    kept = Prefixes[Counted](most=0)
    made = read([1] * 64)
    kept.keep(made)
    assert made.memory.released
    assert kept.find("plain", [1] * 70, [read([1] * 64)]) is None
