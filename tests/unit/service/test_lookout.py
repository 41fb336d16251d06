from __future__ import annotations

import math

from fix_house import encode, house

from stelae.service.admission import FADING, Rate
from stelae.service.lookout import Machine
from stelae.service.profiles import Profiles

L4 = Machine(Profiles("l4", ["a100-40gb"]), ("NVIDIA L4",))


async def test_the_server_is_one_worker_that_says_what_it_holds() -> None:
    async with house(machine=L4) as made:
        await made.start(["fake"])
        seen = made.lookout.capacity()
        (worker,) = seen.workers
        assert (worker.profile, worker.gpus, worker.models) == ("l4", ("NVIDIA L4",), ("fake",))
        assert worker.healthy
        assert 0 < worker.memory_used_bytes < worker.memory_total_bytes
        assert {"fake", "other"} <= {model.info.name for model in seen.models}
        assert seen.profiles == ("l4", "a100-40gb")


async def test_a_look_serves_all_who_ask_within_a_moment() -> None:
    async with house() as made:
        assert made.lookout.capacity() is made.lookout.capacity()


async def test_a_server_that_shuts_down_has_no_workers() -> None:
    async with house() as made:
        await made.fleet.stop(0.0)
        assert made.lookout.capacity().workers == ()


async def test_calls_are_counted_per_second() -> None:
    async with house() as made:
        await encode(made, "hello")
        assert made.lookout.capacity().calls_per_second > 0


def test_a_steady_rate_is_told_as_it_is() -> None:
    rate = Rate()
    for step in range(2000):
        rate.count(step * 0.05)
    assert math.isclose(rate.per_second(2000 * 0.05), 20, rel_tol=0.01)


def test_a_rate_fades_when_nothing_happens() -> None:
    rate = Rate()
    rate.count(100.0)
    assert math.isclose(rate.per_second(100.0 + FADING), 1 / FADING / math.e)
    assert rate.per_second(1e9) == 0
