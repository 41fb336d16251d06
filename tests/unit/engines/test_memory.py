from __future__ import annotations

import os
from pathlib import Path

import pytest

from stelae.engines.memory import EVERY, GROWTH, Housekeeper, resident_bytes, trimmer


def test_memory_is_given_back_once_it_has_grown_much() -> None:
    held, trims = [0], []

    def trim() -> None:
        trims.append(held[0])
        held[0] = GROWTH // 2

    clock = [0.0]
    keeper = Housekeeper(lambda: held[0], trim, lambda: clock[0])
    for size in (GROWTH // 2, GROWTH, GROWTH + 1, 1, GROWTH // 2 + GROWTH):
        held[0] = size
        clock[0] += EVERY
        keeper.after_batch()
    assert trims == [GROWTH + 1]


def test_after_brief_batches_nobody_looks_each_time() -> None:
    looks, clock = [0], [0.0]

    def resident() -> int:
        looks[0] += 1
        return 0

    keeper = Housekeeper(resident, trimmer(), lambda: clock[0])
    before = looks[0]
    for _ in range(100):
        clock[0] += EVERY / 25
        keeper.after_batch()
    assert 3 <= looks[0] - before <= 4


def test_this_process_has_memory_and_a_way_to_give_some_back() -> None:
    assert resident_bytes() > 1 << 20
    trimmer()()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system does not tell")
def test_the_memory_is_that_of_this_process_whatever_number_it_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a container ``/proc`` may number processes as the system around it does."""
    monkeypatch.setattr(os, "getpid", lambda: 1)
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    assert resident_bytes() == pytest.approx(pages * os.sysconf("SC_PAGE_SIZE"), rel=0.1)
