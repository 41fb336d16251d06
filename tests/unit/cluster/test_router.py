from __future__ import annotations

import random
from collections import Counter

import pytest
from fix_replicas import deployment

from stelae.cluster.replica import Replica
from stelae.cluster.router import choose
from stelae.cluster.thread import ThreadReplica
from stelae.errors import ModelNotReady
from stelae.types import ModelState


def replica(state: ModelState, in_flight: int = 0) -> Replica:
    made = ThreadReplica(deployment())
    made.state, made.in_flight = state, in_flight
    return made


def test_the_less_busy_of_two_is_taken() -> None:
    busy, free = replica(ModelState.READY, 5), replica(ModelState.READY, 2)
    assert choose([busy, free]) is free


def test_ready_goes_before_loading_and_loading_before_failed() -> None:
    ready, loading, failed = (
        replica(ModelState.READY, 9),
        replica(ModelState.LOADING),
        replica(ModelState.FAILED),
    )
    assert choose([failed, loading, ready]) is ready
    assert choose([failed, loading]) is loading
    assert choose([failed]) is failed


@pytest.mark.parametrize("states", [[], [ModelState.STOPPING], [ModelState.AVAILABLE]])
def test_nothing_usable_is_told_at_once(states: list[ModelState]) -> None:
    with pytest.raises(ModelNotReady) as caught:
        choose([replica(state) for state in states])
    assert caught.value.retry_after


def test_two_choices_spread_the_load_and_avoid_the_busiest() -> None:
    many = [replica(ModelState.READY, busy) for busy in (0, 0, 0, 100)]
    draw = random.Random(1)
    taken = Counter(id(choose(many, draw)) for _ in range(300))
    assert taken[id(many[3])] == 0
    assert all(taken[id(one)] > 50 for one in many[:3])
