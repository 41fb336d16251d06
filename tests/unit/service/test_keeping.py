from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from fix_keeping import GB, MOST, Bench, until

from stelae.errors import ModelTooLarge, NoCapacity
from stelae.service.keeping import Keep
from stelae.types import ComputeDtype

Make = Callable[..., Bench]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A bench whose models may take 10 GB, and go as soon as others need room."""

    def made(**more: Any) -> Bench:
        return Bench(tmp_path, Keep(**{"memory_bytes": MOST, "residency": 0.0, **more}))

    return made


# -- idle ------------------------------------------------------------------------------------


async def test_a_model_that_nobody_uses_is_unloaded_in_its_time(make: Make) -> None:
    bench = make(idle=60.0)
    await bench.load(bench.entry("a"))
    bench.now += 58.0
    await bench.use("a")
    bench.now += 59.0
    await bench.keeping.look()
    assert bench.gone == []
    bench.now += 1.0
    await bench.keeping.look()
    assert bench.gone == ["a"]
    assert bench.keeping.rests("a") == {"idle": 1, "memory": 0}


async def test_models_stay_for_ever_unless_a_time_is_set(make: Make) -> None:
    bench = make(memory_bytes=None)
    await bench.load(bench.entry("a"))
    bench.now += 1e9
    await bench.keeping.look()
    assert bench.gone == []


async def test_a_model_may_have_a_time_of_its_own_or_be_pinned(make: Make) -> None:
    bench = make(idle=60.0)
    await bench.load(bench.entry("short", 2 * GB, idle_seconds=5.0))
    await bench.load(bench.entry("usual", 2 * GB))
    await bench.load(bench.entry("long", 2 * GB, idle_seconds=600.0))
    await bench.load(bench.entry("pinned", 2 * GB, pinned=True, idle_seconds=1.0))
    bench.now += 10.0
    await bench.keeping.look()
    assert bench.gone == ["short"]
    bench.now += 100.0
    await bench.keeping.look()
    assert bench.gone == ["short", "usual"]
    bench.now += 1000.0
    await bench.keeping.look()
    assert set(bench.boxes) == {"pinned"}


async def test_a_model_is_not_idle_while_a_call_is_under_way(make: Make) -> None:
    bench = make(idle=60.0)
    await bench.load(bench.entry("a"))
    with bench.keeping.using("a"):
        bench.now += 1000.0
        await bench.keeping.look()
        assert bench.gone == []
    await bench.keeping.look()
    assert bench.gone == []  # its time begins when the call ends
    bench.now += 60.0
    await bench.keeping.look()
    assert bench.gone == ["a"]


async def test_a_call_that_fails_counts_as_use_and_ends(make: Make) -> None:
    bench = make(idle=60.0)
    await bench.load(bench.entry("a"))
    with pytest.raises(RuntimeError), bench.keeping.using("a"):
        raise RuntimeError
    bench.now += 60.0
    await bench.keeping.look()
    assert bench.gone == ["a"]


# -- room ------------------------------------------------------------------------------------


async def test_the_longest_unused_model_makes_way(make: Make) -> None:
    bench = make()
    for name in ("a", "b", "c"):
        await bench.load(bench.entry(name))
    await bench.use("a")
    await bench.load(bench.entry("d"))
    assert bench.gone == ["b"]
    assert set(bench.boxes) == {"a", "c", "d"}
    assert bench.keeping.rests("b") == {"idle": 0, "memory": 1}


async def test_models_are_counted_by_what_they_hold_and_not_by_what_was_expected(
    make: Make,
) -> None:
    bench = make()
    for name in ("a", "b", "c"):
        await bench.load(bench.entry(name), real=GB)
    await bench.load(bench.entry("d", 7 * GB))
    assert bench.gone == []
    await bench.load(bench.entry("e", 5 * GB))
    assert bench.gone == ["d"]  # the others together would have held too little


async def test_a_model_that_was_loaded_before_is_expected_to_hold_what_it_held(
    make: Make,
) -> None:
    bench = make()
    small = bench.entry("small", 6 * GB)
    await bench.load(small, real=GB)
    await bench.load(bench.entry("whole", 10 * GB))
    await bench.load(bench.entry("most", 9 * GB))
    assert bench.gone == ["small", "whole"]
    await bench.load(small)
    assert set(bench.boxes) == {"small", "most"}


async def test_what_a_model_once_grew_to_does_not_keep_it_out(make: Make) -> None:
    bench = make()
    await bench.load(bench.entry("pinned", 4 * GB, pinned=True))
    grown = bench.entry("grown", 3 * GB)
    await bench.load(grown, real=20 * GB)
    await bench.keeping.look()
    assert bench.gone == ["grown"]
    await bench.load(grown)
    assert set(bench.boxes) == {"pinned", "grown"}


async def test_models_in_use_and_pinned_ones_never_make_way(make: Make) -> None:
    bench = make()
    await bench.load(bench.entry("pinned", pinned=True))
    await bench.load(bench.entry("used"))
    await bench.load(bench.entry("free"))
    with bench.keeping.using("used"):
        await bench.load(bench.entry("new"))
    assert bench.gone == ["free"]


async def test_a_load_waits_for_calls_to_end_and_then_has_its_room(make: Make) -> None:
    bench = make()
    await bench.load(bench.entry("a", 8 * GB))
    with bench.keeping.using("a"):
        waiting = bench.begin(bench.entry("b", 8 * GB))
        await bench.settle()
        assert not waiting.done()
        assert bench.gone == []
    await waiting
    assert bench.gone == ["a"]


async def test_nothing_makes_way_in_vain(make: Make) -> None:
    bench = make()
    await bench.load(bench.entry("small", 2 * GB))
    await bench.load(bench.entry("used", 6 * GB))
    with bench.keeping.using("used"):
        waiting = bench.begin(bench.entry("new", 9 * GB))
        await bench.settle()
        assert bench.gone == []  # without "used" its room would not be enough
    await waiting
    assert sorted(bench.gone) == ["small", "used"]


async def test_a_load_gives_up_in_time_and_says_to_come_back(make: Make) -> None:
    bench = make(patience=60.0)
    await bench.load(bench.entry("a", 8 * GB))
    with bench.keeping.using("a"):
        waiting = bench.begin(bench.entry("b", 8 * GB))
        await bench.settle()
        bench.now += 60.0
        await bench.settle()
        with pytest.raises(NoCapacity, match=r"8\.0 GB") as caught:
            await waiting
    assert not isinstance(caught.value, ModelTooLarge)
    assert caught.value.retry_after is not None


async def test_two_loads_do_not_take_the_same_room(make: Make) -> None:
    bench = make()
    async with bench.loading(bench.entry("a", 8 * GB)):
        second = bench.begin(bench.entry("b", 8 * GB))
        await bench.settle()
        assert not second.done()
        small = bench.begin(bench.entry("c", GB))  # there is room, but the other came first
        await bench.settle()
        assert not small.done()
    await asyncio.gather(second, small)
    assert bench.gone == []
    assert set(bench.boxes) == {"b", "c"}


async def test_a_load_that_fails_gives_its_room_back(make: Make) -> None:
    bench = make()
    with pytest.raises(RuntimeError):
        async with bench.loading(bench.entry("a", 8 * GB)):
            raise RuntimeError
    await bench.load(bench.entry("b", 8 * GB))
    assert bench.gone == []


async def test_whoever_waits_for_room_may_leave(make: Make) -> None:
    bench = make()
    await bench.load(bench.entry("a", 8 * GB))
    bench.hold.clear()
    leaver = bench.begin(bench.entry("b", 8 * GB))
    await until(lambda: bench.keeping.going("a"))
    leaver.cancel()
    await asyncio.wait([leaver])
    bench.hold.set()
    await bench.keeping.close()
    assert bench.gone == ["a"]  # begun is done: a model half unloaded helps nobody
    assert not bench.keeping.going("a")
    await bench.load(bench.entry("c", 8 * GB))


async def test_a_model_that_grows_makes_others_go(make: Make) -> None:
    bench = make()
    for name in ("a", "b", "c"):
        await bench.load(bench.entry(name))
    bench.boxes["c"][0].grow(5 * GB)
    await bench.keeping.look()
    assert bench.gone == ["a"]
    await bench.keeping.look()
    assert bench.gone == ["a"]


async def test_what_is_going_already_is_waited_for(make: Make) -> None:
    bench = make(idle=10.0)
    await bench.load(bench.entry("idle", 5 * GB, idle_seconds=1.0))
    await bench.load(bench.entry("other", 4 * GB))
    bench.hold.clear()
    bench.now += 5.0
    looking = asyncio.create_task(bench.keeping.look())
    await until(lambda: bench.keeping.going("idle"))
    loading = bench.begin(bench.entry("new", 5 * GB))
    await asyncio.sleep(0)
    bench.hold.set()
    await asyncio.gather(looking, loading)
    assert bench.gone == ["idle"]


async def test_models_of_this_process_count_as_expected(make: Make) -> None:
    bench = make()
    for name in ("a", "b"):
        await bench.load(bench.entry(name, 4 * GB), real=9 * GB)
        bench.share(name)  # what is measured is of all of them together
    await bench.load(bench.entry("c", 2 * GB))
    assert bench.gone == []
    await bench.load(bench.entry("d", 2 * GB))
    assert bench.gone == ["a"]


# -- replicas --------------------------------------------------------------------------------


async def test_all_replicas_of_a_model_count_and_go_together(make: Make) -> None:
    bench = make()
    await bench.load(bench.entry("a", 2 * GB, replicas=3), replicas=3)
    await bench.load(bench.entry("b", 3 * GB))
    assert bench.gone == []
    await bench.load(bench.entry("c", 2 * GB))
    assert bench.gone == ["a"]


async def test_a_further_replica_makes_room_and_never_of_its_own_model(make: Make) -> None:
    bench = make()
    a = bench.entry("a", 4 * GB)
    await bench.load(a)
    await bench.load(bench.entry("b", 4 * GB))
    await bench.load(a)
    assert bench.gone == ["b"]
    assert len(bench.boxes["a"]) == 2


async def test_a_model_that_waits_for_a_further_replica_does_not_go_for_another(
    make: Make,
) -> None:
    bench = make()
    a = bench.entry("a", 4 * GB)
    await bench.load(a)
    async with bench.loading(bench.entry("b", 4 * GB)):
        first = bench.begin(bench.entry("c", 9 * GB))
        await bench.settle()
        more = bench.begin(a)
        await bench.settle()
        assert bench.gone == []
        first.cancel()
        await asyncio.wait([first])
    await more
    assert len(bench.boxes["a"]) == 2


# -- what cannot fit -------------------------------------------------------------------------


async def test_what_cannot_fit_is_refused_with_the_sum(make: Make) -> None:
    bench = make()
    entry = bench.entry("huge", 12 * GB)
    with pytest.raises(ModelTooLarge) as caught:
        await bench.keeping.check(entry, ComputeDtype.FLOAT32)
    assert "needs about 12.0 GB of memory (11.7 GB of weights and 0.3 GB of its worker)" in str(
        caught.value
    )
    assert "models may take 10.0 GB here" in caught.value.message
    assert caught.value.details["needed_bytes"] == 12 * GB
    assert caught.value.retry_after is None
    await bench.keeping.check(entry, ComputeDtype.BFLOAT16)  # which takes half


async def test_replicas_are_summed_up(make: Make) -> None:
    bench = make()
    await bench.keeping.check(bench.entry("a", replicas=3), ComputeDtype.FLOAT32)
    with pytest.raises(ModelTooLarge, match=r"12\.0 GB of memory .* each of 4 replicas"):
        await bench.keeping.check(bench.entry("a", replicas=4), ComputeDtype.FLOAT32)


async def test_a_further_replica_that_can_never_fit_is_refused_at_once(make: Make) -> None:
    bench = make()
    a = bench.entry("a", 6 * GB)
    await bench.load(a)
    waiting = bench.begin(a)
    await bench.settle()
    assert waiting.done()
    with pytest.raises(ModelTooLarge, match=r"of which its other replicas hold 6\.0 GB"):
        await waiting
    await bench.load(bench.entry("b", 4 * GB))  # nobody stands in the way of others


async def test_pinned_models_leave_less(make: Make) -> None:
    bench = make()
    await bench.load(bench.entry("pinned", 3 * GB, pinned=True))
    await bench.keeping.check(bench.entry("a", 7 * GB), ComputeDtype.FLOAT32)
    with pytest.raises(ModelTooLarge, match=r"of which pinned models hold 3\.0 GB"):
        await bench.keeping.check(bench.entry("a", 8 * GB), ComputeDtype.FLOAT32)


async def test_without_a_bound_everything_fits(make: Make) -> None:
    bench = make(memory_bytes=None)
    await bench.keeping.check(bench.entry("huge", 10**12), ComputeDtype.FLOAT32)
    await bench.load(bench.entry("huge", 10**12))


async def test_a_folder_with_other_weights_is_weighed_anew(make: Make) -> None:
    bench = make()
    await bench.keeping.check(bench.entry("a"), ComputeDtype.FLOAT32)
    with pytest.raises(ModelTooLarge):
        await bench.keeping.check(bench.entry("a", 12 * GB), ComputeDtype.FLOAT32)


async def test_nothing_is_kept_of_a_model_that_is_forgotten(make: Make) -> None:
    bench = make()
    await bench.load(bench.entry("a", 8 * GB))
    await bench.load(bench.entry("b", 8 * GB))
    bench.keeping.forget("a")
    assert bench.keeping.rests("a") == {"idle": 0, "memory": 0}
    with bench.keeping.using("b"):
        bench.keeping.forget("b")  # a call is under way: it stays known, and loaded
        waiting = bench.begin(bench.entry("c", 8 * GB))
        await bench.settle()
        assert not waiting.done()
    await waiting


# -- thrash ----------------------------------------------------------------------------------


async def test_a_model_stays_for_a_while_once_it_is_loaded(make: Make) -> None:
    bench = make(residency=30.0)
    await bench.load(bench.entry("a", 8 * GB))
    waiting = bench.begin(bench.entry("b", 8 * GB))
    bench.now += 28.0
    await bench.settle()
    assert not waiting.done()
    bench.now += 1.0
    await bench.settle()
    await waiting
    assert bench.gone == ["a"]


async def test_many_models_in_little_room_do_not_come_and_go(make: Make) -> None:
    bench, draw = make(residency=30.0, patience=300.0), random.Random(19)
    entries = {f"m{i}": bench.entry(f"m{i}", pinned=i == 9) for i in range(10)}
    await bench.load(entries["m9"])
    weights = [1 / (1 + rank) for rank in range(9)]  # Zipf's law
    for _ in range(400):
        (name,) = draw.choices(sorted(entries)[:9], weights)
        with bench.keeping.using(name):
            if name not in bench.boxes:
                await _loaded_in_time(bench, entries[name])
            bench.now += draw.random()
        held = sum(box.memory_bytes for boxes in bench.boxes.values() for box in boxes)
        assert held <= MOST
    assert "m9" not in bench.gone
    assert len(bench.gone) > 10
    for loads in bench.loads.values():
        assert all(late - early >= 30.0 for early, late in pairwise(loads))


async def _loaded_in_time(bench: Bench, entry: Any) -> None:
    loading = bench.begin(entry)
    await bench.settle()
    while not loading.done():
        bench.now += 1.0
        await bench.settle()
    await loading
