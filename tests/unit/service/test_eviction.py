from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stelae.service.eviction import Holding, chosen, total

HOLDINGS = st.lists(
    st.builds(
        Holding,
        name=st.uuids().map(str),
        bytes=st.integers(0, 100),
        used=st.floats(0, 100),
        free=st.booleans(),
    ),
    max_size=12,
)


def holding(name: str, size: int, used: float, *, free: bool = True) -> Holding:
    return Holding(name=name, bytes=size, used=used, free=free)


def names(holdings: list[Holding]) -> list[str]:
    return [each.name for each in holdings]


def test_the_longest_unused_goes_first() -> None:
    there = [holding("new", 10, 3.0), holding("old", 10, 1.0), holding("middle", 10, 2.0)]
    assert names(chosen(there, 10)) == ["old"]
    assert names(chosen(there, 11)) == ["old", "middle"]


def test_what_may_not_go_stays() -> None:
    there = [holding("old", 10, 1.0, free=False), holding("new", 10, 2.0)]
    assert names(chosen(there, 5)) == ["new"]


def test_a_small_model_is_spared_where_a_large_one_is_enough() -> None:
    there = [holding("small", 1, 1.0), holding("large", 50, 2.0), holding("newest", 50, 3.0)]
    assert names(chosen(there, 50)) == ["large"]


def test_nothing_goes_where_nothing_is_short() -> None:
    assert chosen([holding("old", 10, 1.0)], 0) == []


@given(HOLDINGS, st.integers(1, 500))
def test_what_is_chosen_is_free_and_enough_and_needed(there: list[Holding], short: int) -> None:
    going = chosen(there, short)
    free = [each for each in there if each.free and each.bytes > 0]
    assert all(each in free for each in going)
    if total(free) < short:
        assert sorted(names(going)) == sorted(names(free))
        return
    assert total(going) >= short
    assert all(total(going) - each.bytes < short for each in going)
