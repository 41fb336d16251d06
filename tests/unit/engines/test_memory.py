from __future__ import annotations

from stelae.engines.memory import EVERY, GROWTH, Housekeeper, resident_bytes, trimmer


def test_memory_is_given_back_once_it_has_grown_much() -> None:
    held, trims = [0], []

    def trim() -> None:
        trims.append(held[0])
        held[0] = GROWTH // 2

    keeper = Housekeeper(lambda: held[0], trim)
    for size in (GROWTH // 2, GROWTH, GROWTH + 1, 1):
        held[0] = size
        for _ in range(EVERY):
            keeper.after_batch()
    assert trims == [GROWTH + 1]
    held[0] = GROWTH // 2 + GROWTH
    for _ in range(EVERY):
        keeper.after_batch()
    assert trims == [GROWTH + 1]


def test_this_process_has_memory_and_a_way_to_give_some_back() -> None:
    assert resident_bytes() > 1 << 20
    trimmer()()
