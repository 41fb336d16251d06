from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fix_house import Gate, encode, house
from fix_replicas import until

from stelae.engines.base import Device
from stelae.errors import (
    Cancelled,
    Conflict,
    InvalidInput,
    ModelNotFound,
    ModelNotReady,
    NotFound,
    RateLimited,
    StelaeError,
)
from stelae.service.house import House
from stelae.service.store import Store
from stelae.types import ComputeDtype, LaunchCall, ModelState, Stage


def call(uid: str | None = "mine", **more: object) -> LaunchCall:
    return LaunchCall(**{"model": "fake", "uid": uid, **more})


@asynccontextmanager
async def kept_house(folder: Path, gate: Gate | None = None) -> AsyncIterator[House]:
    """A house that has been started, and remembers in a folder."""
    async with house(gate, store=Store(folder)) as made:
        await made.start()
        yield made


async def test_a_launched_model_answers_under_its_uid() -> None:
    async with house() as made:
        info = await made.launches.launch(call())
        assert (info.uid, info.call.uid) == ("mine", "mine")
        ready = await made.launches.ready("mine")
        assert (ready.stage, ready.progress) == (Stage.READY, 1.0)
        assert [(r.number, r.state) for r in ready.replicas] == [(0, ModelState.READY)]
        assert (await encode(made, "a", model="mine")).dense is not None


async def test_replicas_are_numbered_and_all_take_calls() -> None:
    async with house() as made:
        await made.launches.launch(call(replicas=2))
        info = await made.launches.ready("mine")
        assert [r.number for r in info.replicas] == [0, 1]
        held = [
            asyncio.create_task(encode(made, "!sleep 0.2", model="mine", timeout=10))
            for _ in range(2)
        ]
        await until(lambda: [r.in_flight for r in made.launches.info("mine").replicas] == [1, 1])
        assert {made.replica for made in await asyncio.gather(*held)} == {0, 1}


async def test_a_replica_that_is_added_takes_the_lowest_free_number() -> None:
    async with house() as made:
        await made.launches.launch(call(replicas=3))
        await made.launches.ready("mine")
        assert await made.launches.remove_replica("mine", 1) == 2
        assert [r.number for r in made.launches.info("mine").replicas] == [0, 2]
        assert (await made.launches.add_replica("mine")).number == 1
        assert made.launches.info("mine").call.replicas == 3
        with pytest.raises(NotFound, match="0, 1, 2"):
            await made.launches.remove_replica("mine", 9)


async def test_removing_the_last_replica_takes_the_model_down() -> None:
    async with house() as made:
        await made.launches.launch(call())
        await made.launches.ready("mine")
        assert await made.launches.remove_replica("mine", 0) == 0
        with pytest.raises(ModelNotFound):
            made.launches.info("mine")
        with pytest.raises(ModelNotFound):
            await encode(made, "a", model="mine")


async def test_of_two_launches_of_one_uid_at_once_one_wins() -> None:
    gate = Gate()
    async with house(gate) as made:
        both = [made.launches.launch(call()), made.launches.launch(call())]
        ended = await asyncio.gather(*both, return_exceptions=True)
        assert [type(each) for each in ended if isinstance(each, Exception)] == [Conflict]
        gate.open()
        await made.launches.ready("mine")
        assert len(gate.launches) == 1


async def test_a_name_that_is_taken_gets_letters_behind_it() -> None:
    async with house() as made:
        await made.launches.launch(call(uid=None))
        second = await made.launches.launch(call(uid=None))
        assert second.uid.startswith("fake-")
        assert len(second.uid) == len("fake-") + 8
        await made.launches.ready("fake")
        await made.launches.ready(second.uid)


async def test_a_launch_that_is_cancelled_leaves_nothing_behind() -> None:
    gate = Gate()
    async with house(gate) as made:
        await made.launches.launch(call())
        waiting = asyncio.create_task(made.launches.ready("mine"))
        await until(lambda: len(gate.launches) == 1)
        assert made.launches.info("mine").stage is Stage.LOADING
        assert (await made.launches.cancel("mine")).stage is Stage.CANCELLED
        with pytest.raises(Cancelled):
            await waiting
        assert made.launches.all() == []
        assert made.launches.info("mine").stage is Stage.CANCELLED
        assert list(gate.replicas()) == []
        with pytest.raises(ModelNotFound):
            await encode(made, "a", model="mine")
        gate.open()
        await made.launches.launch(call())
        assert (await made.launches.ready("mine")).stage is Stage.READY


async def test_what_is_ready_cannot_be_cancelled() -> None:
    async with house() as made:
        await made.launches.launch(call())
        await made.launches.ready("mine")
        with pytest.raises(Conflict, match="terminate"):
            await made.launches.cancel("mine")


async def test_a_model_can_be_terminated_while_it_loads() -> None:
    gate = Gate()
    async with house(gate) as made:
        await made.launches.launch(call())
        await until(lambda: len(gate.launches) == 1)
        await made.launches.terminate("mine")
        with pytest.raises(ModelNotFound):
            await made.launches.ready("mine")
        assert list(gate.replicas()) == []


async def test_a_launch_that_fails_says_why_and_frees_its_uid() -> None:
    async with house() as made:
        await made.launches.launch(call(model="broken"))
        with pytest.raises(StelaeError, match="no folder"):
            await made.launches.ready("mine")
        info = made.launches.info("mine")
        assert info.stage is Stage.FAILED
        assert info.error is not None
        assert "no folder" in info.error.message
        await made.launches.launch(call())
        assert (await made.launches.ready("mine")).error is None


async def test_taking_a_model_down_brings_back_the_one_of_the_configuration() -> None:
    async with house() as made:
        await made.launches.launch(call(uid="fake", max_tokens=8))
        await made.launches.ready("fake")
        assert made.fleet.model("fake").max_tokens == 8
        await made.launches.terminate("fake")
        assert (await made.fleet.load("fake")).max_tokens == 256


async def test_launches_outlive_the_server(tmp_path: Path) -> None:
    async with kept_house(tmp_path) as made:
        before = await made.launches.launch(call(calls=5, environment={}))
        await made.launches.launch(call(uid="gone"))
        await made.launches.ready("gone")
        await made.launches.terminate("gone")
    async with kept_house(tmp_path, Gate()) as made:
        (after,) = made.launches.all()
        assert (after.uid, after.call, after.created) == ("mine", before.call, before.created)
        assert made.fleet.ready().ready


@pytest.mark.parametrize(
    ("uid", "said"),
    [
        ("", "1 to 100"),
        ("   ", "1 to 100"),
        ("x" * 101, "1 to 100"),
        ("mine-rep0", "replicas"),
        ("café", "ASCII"),
        ("a//b", "separated by /"),
        ("../up", "ASCII"),
        ("a\nb", "ASCII"),
    ],
)
async def test_a_uid_that_cannot_be_one_is_refused(uid: str, said: str) -> None:
    async with house() as made:
        with pytest.raises(InvalidInput, match=said):
            await made.launches.launch(call(uid))


@pytest.mark.parametrize("uid", ["org/name", "v1.5", "a:b", " spaced "])
async def test_slashes_and_dots_may_stand_in_a_uid(uid: str) -> None:
    async with house() as made:
        info = await made.launches.launch(call(uid))
        assert info.uid == uid.strip()
        await made.launches.ready(info.uid)


async def test_a_model_that_serves_already_is_launched_as_it_is() -> None:
    gate = Gate(held=False)
    async with house(gate) as made:
        await encode(made, "a", model="alias")
        info = await made.launches.launch(call(uid=None))
        assert info.uid == "fake"
        await made.launches.ready("fake")
        assert len(gate.launches) == 1
        assert (await encode(made, "a", model="alias")).dense is not None


async def test_a_model_that_serves_already_is_not_changed_by_a_launch() -> None:
    async with house() as made:
        await made.fleet.load("fake")
        with pytest.raises(Conflict, match="another uid"):
            await made.launches.launch(call(uid="fake", max_tokens=8))
        other = await made.launches.launch(call(uid=None, max_tokens=8))
        assert other.uid.startswith("fake-")
        await made.launches.ready(other.uid)
        assert made.fleet.model("fake").max_tokens == 256


async def test_the_alias_of_another_model_is_no_uid() -> None:
    async with house() as made:
        for uid in ("alias", "minilm", "default"):
            with pytest.raises(Conflict):
                await made.launches.launch(call(uid=uid))


async def test_an_unloaded_launch_is_loaded_by_the_next_call() -> None:
    async with house() as made:
        await made.launches.launch(call(replicas=2))
        await made.launches.ready("mine")
        await made.fleet.unload("mine")
        info = made.launches.info("mine")
        assert (info.stage, info.replicas) == (Stage.READY, ())
        await encode(made, "a", model="mine")
        await until(lambda: len(made.launches.info("mine").replicas) == 2)


async def test_calls_beyond_those_launched_for_are_refused() -> None:
    async with house() as made:
        await made.launches.launch(call(calls=2))
        await made.launches.ready("mine")
        held = [asyncio.create_task(encode(made, "!sleep 0.2", model="mine")) for _ in range(2)]
        await until(lambda: made.launches.info("mine").replicas[0].in_flight == 2)
        with pytest.raises(RateLimited, match="Rate limit reached"):
            await encode(made, "a", model="mine")
        await encode(made, "a", model="fake")
        await asyncio.gather(*held)
        await encode(made, "a", model="mine")


async def test_a_replica_is_not_added_to_what_is_not_loaded() -> None:
    gate = Gate()
    async with house(gate) as made:
        await made.launches.launch(call())
        await until(lambda: len(gate.launches) == 1)
        adding = asyncio.create_task(made.launches.add_replica("mine"))
        await asyncio.sleep(0)
        await made.launches.terminate("mine")
        with pytest.raises(ModelNotReady):
            await adding
        assert list(gate.replicas()) == []


async def test_whoever_stops_waiting_ends_no_launch() -> None:
    gate = Gate()
    async with house(gate) as made:
        await made.launches.launch(call())
        waiting = asyncio.create_task(made.launches.ready("mine"))
        await until(lambda: len(gate.launches) == 1)
        waiting.cancel()
        gate.open()
        assert (await made.launches.ready("mine")).stage is Stage.READY


async def test_launches_that_were_kept_and_fail_keep_their_uid(tmp_path: Path) -> None:
    async with kept_house(tmp_path) as made:
        await made.launches.launch(call(environment={}))
        await made.launches.ready("mine")
        await asyncio.to_thread(_break, made)
    async with kept_house(tmp_path) as made:
        await until(lambda: made.launches.info("mine").stage is Stage.FAILED)
        with pytest.raises(StelaeError, match="no folder"):
            await encode(made, "a", model="mine")
        assert made.fleet.ready().ready


def _break(made: House) -> None:
    """Let what is kept name a model that cannot be loaded."""
    kept = made.launches._kept
    ((uid, data),) = kept.all()
    kept.keep(uid, data.replace(b'"model":"fake"', b'"model":"broken"'))


async def test_what_is_kept_and_makes_no_sense_is_left_out(tmp_path: Path) -> None:
    async with kept_house(tmp_path) as made:
        made.launches._kept.keep("odd", b"{}")
        made.launches._kept.keep("old", b'{"call": {"model": "gone", "uid": "old"}, "created": 1}')
    async with kept_house(tmp_path) as made:
        assert made.launches.all() == []
        assert made.fleet.ready().ready


async def test_nothing_is_kept_of_models_that_were_taken_down() -> None:
    async with house() as made:
        rooms = made.inference._deployments
        before = set(rooms._standings)
        for number in range(3):
            await made.launches.launch(call(uid=f"mine-{number}"))
            await made.launches.ready(f"mine-{number}")
            await made.launches.terminate(f"mine-{number}")
        assert set(rooms._standings) <= before | {"fake", "other", "broken"}
        assert rooms._health._answered == {}
        assert await asyncio.to_thread(made.launches._kept.all) == []


async def test_a_server_that_stops_while_a_model_loads_launches_it_again(tmp_path: Path) -> None:
    gate = Gate()
    async with kept_house(tmp_path, gate) as made:
        await made.launches.launch(call())
        await until(lambda: len(gate.launches) == 1)
    async with kept_house(tmp_path) as made:
        assert (await made.launches.ready("mine")).stage is Stage.READY


async def test_options_of_a_launch_reach_the_worker(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    gate = Gate()
    async with house(gate) as made:
        asked = call(
            dtype=ComputeDtype.BFLOAT16,
            cache_tokens=4096,
            batch_tokens=77,
            max_tokens=9,
            gpus=((),),
            loras={"law": str(tmp_path)},
            environment={"GREETING": "hello"},
        )
        await made.launches.launch(asked)
        await until(lambda: len(gate.launches) == 1)
        (runs,) = gate.launches
        options = runs.options
        assert (options.dtype, options.cache_tokens) == (ComputeDtype.BFLOAT16, 4096)
        assert (options.device, options.adapters.sources) == (Device.CPU, {"law": str(tmp_path)})
        assert (runs.limits.batch_tokens, runs.spec.max_tokens) == (77, 9)
        assert (runs.gpus, runs.environment, runs.number) == ((), {"GREETING": "hello"}, 0)


async def test_an_adapter_of_a_launch_is_no_adapter_of_its_model(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    async with house() as made:
        await made.launches.launch(call(loras={"law": str(tmp_path)}))
        assert made.fleet.model("mine").loras == ("law",)
        assert made.fleet.model("fake").loras == ()
