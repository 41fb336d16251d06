from __future__ import annotations

import asyncio

import pytest
from fix_house import Gate, encode, house
from fix_replicas import until

from stelae.errors import (
    Conflict,
    InvalidInput,
    ModelNotFound,
    ModelNotReady,
    StelaeError,
    UnsupportedTask,
)
from stelae.service.inference import Caller
from stelae.types import ChatCall, ComputeDtype, Message, ModelState, Speaker, TextPart


async def test_every_registered_model_is_listed() -> None:
    async with house() as made:
        assert [m.name for m in made.fleet.models()] == [
            "fake",
            "other",
            "broken",
            "all-MiniLM-L6-v2",
        ]


async def test_models_of_this_machine_are_described_before_they_are_loaded() -> None:
    async with house() as made:
        await made.start()
        await until(lambda: made.fleet.model("fake").dimensions > 0)
        info = made.fleet.model("alias")
        assert (info.name, info.aliases, info.state) == ("fake", ("alias",), ModelState.AVAILABLE)
        assert (info.architecture, info.dimensions) == ("BertModel", 384)
        assert (info.engine, info.fingerprint) == ("fake", "")


async def test_a_loaded_model_tells_what_runs() -> None:
    async with house() as made:
        info = await made.fleet.load("alias")
        assert (info.name, info.state, info.fingerprint) == ("fake", ModelState.READY, "fake")
        assert (info.dtype, info.device) == ("float32", "cpu")
        assert info.memory_bytes > 0


async def test_traits_are_what_a_load_does_not_change() -> None:
    async with house() as made:
        before = made.fleet.traits("alias")
        assert (before.name, before.architecture, before.state) == ("fake", "", "available")
        await made.fleet.load("alias")
        told, whole = made.fleet.traits("alias"), made.fleet.model("alias")
        assert told.architecture == "BertModel"
        fixed = {"state", "engine", "reason", "dtype", "device", "fingerprint", "notes"}
        fixed |= {"memory_bytes", "pid", "in_flight", "restarts"}
        same = {name for name in told.__struct_fields__ if name not in fixed}
        assert {n: getattr(told, n) for n in same} == {n: getattr(whole, n) for n in same}
        assert made.fleet.traits("alias") is told


async def test_models_are_not_loaded_for_what_they_cannot_do() -> None:
    said = [Message(role=Speaker.USER, content=[TextPart(text="Hello")])]
    async with house() as made:
        await made.start()
        await until(lambda: made.fleet.model("fake").dimensions > 0)
        answer = made.inference.chat(
            ChatCall(model="fake", messages=said), Caller(request_id="test")
        )
        with pytest.raises(UnsupportedTask, match="cannot chat"):
            await anext(answer)
        assert made.fleet.model("fake").state is ModelState.AVAILABLE


async def test_loading_twice_is_the_same_as_once() -> None:
    gate = Gate(held=False)
    async with house(gate) as made:
        infos = await asyncio.gather(*(made.fleet.load("fake") for _ in range(5)))
        await made.fleet.load("fake", "fake")
        assert len(gate.launches) == 1
        assert {info.state for info in infos} == {ModelState.READY}


async def test_loading_with_options_reaches_the_engine() -> None:
    gate = Gate(held=False)
    async with house(gate) as made:
        await made.fleet.load("all-MiniLM-L6-v2", "fake", ComputeDtype.BFLOAT16)
        assert gate.launches[0].engine == "fake"
        assert gate.launches[0].options.dtype is ComputeDtype.BFLOAT16


async def test_loading_otherwise_than_it_is_loaded_is_a_conflict() -> None:
    async with house() as made:
        await made.fleet.load("fake")
        with pytest.raises(Conflict, match="fake"):
            await made.fleet.load("fake", dtype=ComputeDtype.BFLOAT16)


async def test_joining_a_load_with_other_options_is_a_conflict() -> None:
    gate = Gate()
    async with house(gate) as made:
        first = asyncio.create_task(made.fleet.load("fake"))
        await until(lambda: len(gate.launches) > 0)
        second = asyncio.create_task(made.fleet.load("fake", dtype=ComputeDtype.BFLOAT16))
        gate.open()
        assert (await first).state is ModelState.READY
        with pytest.raises(Conflict):
            await second


async def test_an_unknown_engine_is_refused() -> None:
    async with house() as made:
        with pytest.raises(InvalidInput, match="no-such-engine"):
            await made.fleet.load("other", "no-such-engine")


async def test_an_explicit_load_tries_a_failed_one_again() -> None:
    async with house() as made:
        for _ in range(2):
            with pytest.raises(StelaeError):
                await made.fleet.load("broken")
        assert made.fleet.model("broken").error is not None


async def test_an_explicit_load_replaces_a_replica_that_has_failed() -> None:
    gate = Gate(held=False)
    async with house(gate) as made:
        await made.fleet.load("fake")
        gate.replicas("fake")[0].state = ModelState.FAILED
        assert (await made.fleet.load("fake")).state is ModelState.READY
        assert len(gate.launches) == 2


async def test_unloading_frees_the_model_and_a_call_loads_it_again() -> None:
    gate = Gate(held=False)
    async with house(gate) as made:
        await encode(made, "one")
        assert (await made.fleet.unload("fake")).state is ModelState.AVAILABLE
        assert gate.replicas() == []
        await encode(made, "two")
        assert len(gate.launches) == 2


async def test_unloading_answers_the_calls_under_way() -> None:
    async with house() as made:
        await encode(made, "warm")
        accepted = asyncio.create_task(encode(made, "!sleep 0.2"))
        await asyncio.sleep(0)
        await made.fleet.unload("fake")
        assert (await accepted).errors == {}


async def test_unloading_while_loading_ends_the_load() -> None:
    gate = Gate()
    async with house(gate) as made:
        waiting = asyncio.create_task(encode(made, "hello"))
        await until(lambda: len(gate.launches) > 0)
        assert (await made.fleet.unload("fake")).state is ModelState.AVAILABLE
        with pytest.raises(ModelNotReady):
            await waiting


async def test_unloading_what_is_not_loaded_changes_nothing() -> None:
    async with house() as made:
        assert (await made.fleet.unload("other")).state is ModelState.AVAILABLE
        with pytest.raises(ModelNotFound):
            await made.fleet.unload("nothing")


async def test_starting_loads_the_models_named_side_by_side() -> None:
    gate = Gate()
    async with house(gate) as made:
        starting = asyncio.create_task(made.start(["alias", "other", "fake"]))
        await until(lambda: len(gate.launches) == 2)
        assert not made.fleet.ready().ready
        gate.open()
        await starting
        assert made.fleet.ready().ready


async def test_starting_fails_with_the_model_that_cannot_be_loaded() -> None:
    async with house() as made:
        with pytest.raises(StelaeError, match="/no/such/folder"):
            await made.start(["fake", "broken"])
        readiness = made.fleet.ready()
        assert not readiness.ready
        assert "broken" in readiness.reason


async def test_a_house_with_nothing_to_load_is_ready() -> None:
    async with house() as made:
        await made.start()
        assert made.fleet.ready().ready


async def test_a_house_is_not_ready_before_it_knows_what_it_should_load() -> None:
    async with house() as made:
        readiness = made.fleet.ready()
        assert not readiness.ready
        assert "starting" in readiness.reason


async def test_a_stopped_house_is_not_ready_and_holds_nothing() -> None:
    gate = Gate(held=False)
    async with house(gate) as made:
        await made.start(["fake"])
        await made.stop(1.0)
        assert not made.fleet.ready().ready
        assert gate.replicas() == []
        assert [t for t in asyncio.all_tasks() if t is not asyncio.current_task()] == []


async def test_stopping_while_loading_ends_the_load() -> None:
    gate = Gate()
    async with house(gate) as made:
        starting = asyncio.create_task(made.start(["fake"]))
        await until(lambda: len(gate.launches) > 0)
        await made.stop(1.0)
        with pytest.raises(ModelNotReady):
            await starting


async def test_samples_tell_the_figures_of_every_model() -> None:
    async with house() as made:
        await encode(made, "two words", "three more words")
        samples = {sample.model: sample for sample in made.fleet.samples()}
        assert samples["other"].state is ModelState.AVAILABLE
        fake = samples["fake"]
        assert (fake.state, fake.queue_calls, fake.restarts) == (ModelState.READY, 0, 0)
        assert fake.batch_tokens >= 5
        assert fake.memory_bytes > 0
