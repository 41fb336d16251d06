"""Models of a whole house that come and go: first use, idle time, room, and races of these."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fix_house import Gate, encode
from fix_hub import repo_of, running_hub
from fix_replicas import until

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import EMBEDDED, ModelEntry
from stelae.catalog.hub import HubOptions
from stelae.cluster.controller import Placement
from stelae.cluster.local import LocalController
from stelae.engines.fake.engine import vector
from stelae.errors import ModelTooLarge, NoCapacity
from stelae.service.deployments import Defaults
from stelae.service.footprint import WORKER
from stelae.service.house import House, build
from stelae.service.keeping import Keep
from stelae.service.store import Store
from stelae.types import ComputeDtype, LaunchCall, ModelState, Stage

EACH = 91_000_000 + WORKER
"""A little more than the embedded model is expected to take with numbers of 32 bits."""


class Doors(Gate):
    """Launches go on at once; unloading may be held back."""

    def __init__(self, placement: Placement = Placement.THREAD) -> None:
        super().__init__(held=False)
        self._inner = LocalController(placement)
        self.closing: list[str] = []
        self.closes = asyncio.Event()
        self.closes.set()

    async def stop(self, name: str, drain: float, number: int | None = None) -> None:
        """Wait until it may, then stop the replicas."""
        self.closing.append(name)
        await self.closes.wait()
        await super().stop(name, drain, number)

    def loads(self, name: str) -> int:
        """How often a model was loaded."""
        return [each.name for each in self.launches].count(name)


@asynccontextmanager
async def home(
    doors: Doors, folder: Path, room: float, hub: HubOptions | None = None, **more: Any
) -> AsyncIterator[House]:
    """A house of models ``a`` to ``e``, and memory for ``room`` of them."""
    keep = Keep(memory_bytes=int(room * EACH), **{"residency": 0.0, **more})
    entries = [
        ModelEntry(name=name, source=EMBEDDED, engine="fake", dtype=ComputeDtype.FLOAT32)
        for name in "abcde"
    ]
    made = build(
        Catalog(entries, hub=hub),
        doors,
        defaults=Defaults(keep=keep, load_wait=30.0),
        store=Store(folder / "store"),
    )
    try:
        yield made
    finally:
        await made.stop(0.0)


def loaded(doors: Doors) -> set[str]:
    return {replica.name for replica in doors.replicas()}


async def test_a_call_makes_way_for_its_model(tmp_path: Path) -> None:
    doors = Doors()
    async with home(doors, tmp_path, 2) as made:
        for name in "abc":
            result = await encode(made, "hello", model=name)
            np.testing.assert_array_equal(result.dense, [vector("hello", 384)])
        assert loaded(doors) == {"b", "c"}
        assert made.fleet.model("a").state is ModelState.AVAILABLE
        samples = {sample.model: sample for sample in made.fleet.samples()}
        assert samples["a"].evictions == {"idle": 0, "memory": 1}
        assert samples["b"].evictions == {"idle": 0, "memory": 0}
        await encode(made, "again", model="a")
        assert loaded(doors) == {"a", "c"}


async def test_a_call_for_a_model_that_is_going_is_answered(tmp_path: Path) -> None:
    doors = Doors()
    async with home(doors, tmp_path, 2, idle=1e-9) as made:
        await encode(made, "one", model="a")
        doors.closes.clear()
        looking = asyncio.create_task(made.keeping.look())
        await until(lambda: doors.closing == ["a"])
        calls = [asyncio.create_task(encode(made, f"t{i}", model="a")) for i in range(5)]
        loading = asyncio.create_task(made.fleet.load("a"))
        await asyncio.sleep(0)
        doors.closes.set()
        for i, result in enumerate(await asyncio.gather(*calls)):
            np.testing.assert_array_equal(result.dense, [vector(f"t{i}", 384)])
        assert (await loading).state is ModelState.READY
        await looking
        assert doors.loads("a") == 2


async def test_a_call_that_comes_just_as_its_model_is_chosen_to_go_is_answered(
    tmp_path: Path,
) -> None:
    doors = Doors()
    async with home(doors, tmp_path, 2, idle=1e-9) as made:
        await encode(made, "one", model="a")
        looking = asyncio.create_task(made.keeping.look())
        call = asyncio.create_task(encode(made, "two", model="a"))  # in the same turn of the loop
        np.testing.assert_array_equal((await call).dense, [vector("two", 384)])
        await looking


async def test_a_model_does_not_go_under_its_calls(tmp_path: Path) -> None:
    doors = Doors()
    async with home(doors, tmp_path, 1, idle=1e-9) as made:
        await encode(made, "warm", model="a")
        call = asyncio.create_task(encode(made, "!sleep 0.2", model="a"))
        await asyncio.sleep(0)
        other = asyncio.create_task(encode(made, "hello", model="b"))
        await made.keeping.look()
        assert (await call).errors == {}
        assert (await other).errors == {}
        assert doors.loads("a") == 1


async def test_many_calls_in_little_room_are_all_answered(tmp_path: Path) -> None:
    doors = Doors()
    async with home(doors, tmp_path, 2) as made:
        texts = [f"t{i}" for i in range(40)]
        calls = [encode(made, text, model="abcde"[i % 5]) for i, text in enumerate(texts)]
        for text, result in zip(texts, await asyncio.gather(*calls), strict=True):
            np.testing.assert_array_equal(result.dense, [vector(text, 384)])
        assert len(loaded(doors)) <= 2


async def test_a_house_is_ready_while_models_make_way(tmp_path: Path) -> None:
    doors = Doors()
    async with home(doors, tmp_path, 1) as made:
        await made.fleet.start()
        await encode(made, "one", model="a")
        doors.closes.clear()
        call = asyncio.create_task(encode(made, "two", model="b"))
        await until(lambda: doors.closing == ["a"])
        assert made.fleet.ready().ready
        doors.closes.set()
        await call


async def test_what_is_unloaded_by_hand_ends_its_load_for_room(tmp_path: Path) -> None:
    doors = Doors()
    async with home(doors, tmp_path, 1) as made:
        await encode(made, "one", model="a")
        held = asyncio.create_task(encode(made, "!sleep 0.3", model="a"))
        await asyncio.sleep(0)
        waiting = asyncio.create_task(made.fleet.load("b"))
        await until(lambda: made.fleet.model("b").state is ModelState.LOADING)
        await made.fleet.unload("b")
        with pytest.raises(Exception, match="unloaded while it loaded"):
            await waiting
        await held
        assert loaded(doors) == {"a"}


async def test_a_stopping_house_leaves_nothing_under_way(tmp_path: Path) -> None:
    doors = Doors()
    async with home(doors, tmp_path, 1) as made:
        await made.start()
        await encode(made, "one", model="a")
        doors.closes.clear()
        call = asyncio.create_task(encode(made, "two", model="b"))
        await until(lambda: doors.closing == ["a"])
        call.cancel()
        stopping = asyncio.create_task(made.stop(1.0))
        doors.closes.set()
        await stopping
        assert doors.replicas() == []
        here = asyncio.current_task()
        assert [t for t in asyncio.all_tasks() if t is not here and not t.done()] == []


async def test_what_cannot_fit_is_refused_before_anything_large_is_fetched(
    zoo: Path, tmp_path: Path
) -> None:
    with running_hub() as hub:
        hub.repos["tiny/huge"] = repo_of(
            zoo / "bert-dense", sizes={"model.safetensors": 4 * 10**12}
        )
        options = HubOptions(cache=str(tmp_path / "cache"), endpoint=hub.url)
        async with home(Doors(), tmp_path, 2, options) as made:
            launch = LaunchCall(model="tiny/huge", uid="huge", dtype=ComputeDtype.FLOAT32)
            await made.launches.launch(launch)
            with pytest.raises(ModelTooLarge, match=r"needs about 4,000\.\d GB of memory"):
                await made.launches.ready("huge")
        assert {Path(path).name for path in hub.fetched()} == {"config.json"}


async def test_a_launched_model_that_made_way_still_answers(tmp_path: Path) -> None:
    doors = Doors()
    async with home(doors, tmp_path, 1) as made:
        launch = LaunchCall(model="a", uid="mine", dtype=ComputeDtype.FLOAT32)
        await made.launches.launch(launch)
        await made.launches.ready("mine")
        await encode(made, "hello", model="b")
        assert loaded(doors) == {"b"}
        info = await made.launches.ready("mine")  # nobody need launch it again
        assert (info.stage, info.progress, info.replicas) == (Stage.READY, 1.0, ())
        await encode(made, "hello", model="mine")
        assert len(made.launches.info("mine").replicas) == 1


async def test_a_launch_of_more_copies_than_fit_is_refused(tmp_path: Path) -> None:
    doors = Doors()
    async with home(doors, tmp_path, 2) as made:
        launch = LaunchCall(model="a", uid="three", replicas=3, dtype=ComputeDtype.FLOAT32)
        await made.launches.launch(launch)
        with pytest.raises(ModelTooLarge, match="for each of 3 replicas"):
            await made.launches.ready("three")
        assert doors.launches == []


async def test_a_further_copy_makes_way_and_pinned_models_stay(tmp_path: Path) -> None:
    doors = Doors()
    async with home(doors, tmp_path, 3) as made:
        launch = LaunchCall(model="a", uid="pinned", pinned=True, dtype=ComputeDtype.FLOAT32)
        await made.launches.launch(launch)
        await made.launches.ready("pinned")
        for name in "bc":
            await encode(made, "hello", model=name)
        await made.launches.add_replica("pinned")
        assert loaded(doors) == {"pinned", "c"}
        assert len(doors.replicas("pinned")) == 2
        await encode(made, "hello", model="d")
        assert loaded(doors) == {"pinned", "d"}
        await made.launches.add_replica("pinned")
        assert loaded(doors) == {"pinned"}
        with pytest.raises(ModelTooLarge, match="pinned models hold"):
            await encode(made, "hello", model="d")


async def test_a_call_for_which_no_room_comes_free_is_told_to_come_back(tmp_path: Path) -> None:
    doors = Doors()
    async with home(doors, tmp_path, 1, patience=0.0) as made:
        await encode(made, "warm", model="a")
        held = asyncio.create_task(encode(made, "!sleep 0.3", model="a"))
        await asyncio.sleep(0)
        with pytest.raises(NoCapacity, match="in use") as caught:
            await encode(made, "hello", model="b")
        assert caught.value.retry_after is not None
        await held


async def test_workers_are_counted_by_the_memory_that_they_have(tmp_path: Path) -> None:
    workers = Doors(Placement.PROCESS)
    async with home(workers, tmp_path, 2) as made:
        for name in "abcde":  # by their files, two of them would fit
            await encode(made, "hello", model=name)
        assert loaded(workers) == set("abcde")
        most = int(2 * EACH)
        assert sum(info.memory_bytes for info in made.fleet.models()) <= most


async def test_real_models_share_what_memory_there_is(zoo: Path, tmp_path: Path) -> None:
    most = 550_000_000  # their workers have about 350 million each
    entries = [ModelEntry(name=name, source=str(zoo / name)) for name in ("bert-mean", "bert-cls")]
    defaults = Defaults(keep=Keep(memory_bytes=most, residency=0.0))
    made = build(
        Catalog(entries), LocalController(), defaults=defaults, store=Store(tmp_path / "store")
    )
    try:
        for entry in entries:
            assert (await encode(made, "hello", model=entry.name)).errors == {}
            assert sum(info.memory_bytes for info in made.fleet.models()) <= most
    finally:
        await made.stop(0.0)
