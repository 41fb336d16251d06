from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from stelae.cluster.memory import settle


@pytest.fixture
def collector() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


@pytest.mark.usefixtures("collector")
def test_what_is_loaded_is_not_looked_through_again() -> None:
    kept = [[] for _ in range(10)]
    settle()
    assert gc.get_freeze_count() > len(kept)
    assert not any(each is kept for each in gc.get_objects())


@pytest.mark.usefixtures("collector")
def test_what_comes_later_is_still_collected() -> None:
    settle()
    ring: list[object] = []
    ring.append(ring)
    del ring
    assert gc.collect() > 0
