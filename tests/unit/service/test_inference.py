from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from fix_house import Gate, encode, house
from fix_replicas import until
from msgspec.structs import replace

from stelae.catalog.abilities import Classify, Extractor, Finding
from stelae.engines.fake.engine import vector
from stelae.errors import (
    DeadlineExceeded,
    InvalidInput,
    ModelNotFound,
    ModelNotReady,
    PoolNotFound,
    Provisioning,
    QueueFull,
    ShuttingDown,
    StelaeError,
    UnsupportedTask,
)
from stelae.service.admission import Bounds
from stelae.service.deployments import Defaults
from stelae.service.inference import Caller
from stelae.service.lookout import Machine
from stelae.service.profiles import Profiles
from stelae.types import EncodeCall, Entity, ExtractCall, Item, ModelState, PoolSpec


async def test_a_model_is_loaded_when_it_is_first_asked_for() -> None:
    async with house() as made:
        assert made.fleet.model("fake").state is ModelState.AVAILABLE
        result = await encode(made, "hello", "world")
        np.testing.assert_array_equal(
            result.dense, np.stack([vector("hello", 384), vector("world", 384)])
        )
        assert made.fleet.model("fake").state is ModelState.READY


async def test_an_alias_is_answered_under_the_models_own_name() -> None:
    async with house() as made:
        assert (await encode(made, "hello", model="alias")).model == "fake"


async def test_calls_that_come_together_load_the_model_once() -> None:
    gate = Gate()
    async with house(gate) as made:
        calls = [asyncio.create_task(encode(made, f"t{i}")) for i in range(10)]
        await until(lambda: len(gate.launches) > 0)
        gate.open()
        for i, result in enumerate(await asyncio.gather(*calls)):
            np.testing.assert_array_equal(result.dense, [vector(f"t{i}", 384)])
        assert len(gate.launches) == 1


async def test_a_call_waits_for_its_model_no_longer_than_its_deadline() -> None:
    gate = Gate()
    async with house(gate) as made:
        with pytest.raises(ModelNotReady) as caught:
            await encode(made, "hurry", timeout=0.05)
        assert caught.value.retry_after is not None
        assert 0 < caught.value.retry_after <= 60
        gate.open()
        await encode(made, "the load went on")
        assert len(gate.launches) == 1


async def test_a_call_without_deadline_waits_for_a_while_too() -> None:
    async with house(Gate(), defaults=Defaults(load_wait=0.05)) as made:
        with pytest.raises(ModelNotReady):
            await encode(made, "patient")


async def test_a_caller_that_leaves_does_not_stop_the_load() -> None:
    gate = Gate()
    async with house(gate) as made:
        leaver = asyncio.create_task(encode(made, "bye"))
        await until(lambda: len(gate.launches) > 0)
        leaver.cancel()
        await asyncio.wait([leaver])
        gate.open()
        await until(lambda: made.fleet.model("fake").state is ModelState.READY)


async def test_an_unknown_model_is_refused_with_the_nearest_names() -> None:
    async with house() as made:
        with pytest.raises(ModelNotFound, match="fake"):
            await encode(made, "hello", model="fakee")


async def test_nothing_to_encode_is_refused() -> None:
    async with house() as made:
        with pytest.raises(InvalidInput):
            await encode(made)


async def test_too_many_calls_are_refused_at_once() -> None:
    gate = Gate()
    async with house(gate, bounds=Bounds(calls=1)) as made:
        first = asyncio.create_task(encode(made, "first"))
        await until(lambda: len(gate.launches) > 0)
        with pytest.raises(QueueFull):
            await encode(made, "second")
        gate.open()
        await first


async def test_a_deadline_passes_to_the_replica() -> None:
    async with house() as made:
        await encode(made, "warm")
        with pytest.raises(DeadlineExceeded):
            await encode(made, "!sleep 0.3", timeout=0.05)


async def test_a_model_that_cannot_be_loaded_says_why() -> None:
    async with house() as made:
        with pytest.raises(StelaeError, match="/no/such/folder"):
            await encode(made, "hello", model="broken")
        assert made.fleet.model("broken").state is ModelState.FAILED


async def test_a_failed_load_is_not_tried_again_by_every_call() -> None:
    gate = Gate(held=False)
    defaults = Defaults(engine="fake", retry_failed=1000.0)
    async with house(gate, defaults=defaults) as made:
        with pytest.raises(StelaeError) as first:
            await encode(made, "hello", model="broken")
        with pytest.raises(StelaeError) as second:
            await encode(made, "hello", model="broken")
        assert second.value.info == first.value.info
        assert second.value is not first.value


async def test_a_stopping_house_answers_what_it_accepted_and_refuses_the_rest() -> None:
    async with house() as made:
        await encode(made, "warm")
        accepted = asyncio.create_task(encode(made, "!sleep 0.2"))
        await asyncio.sleep(0)
        stopping = asyncio.create_task(made.stop(10.0))
        await asyncio.sleep(0)
        with pytest.raises(ShuttingDown):
            await encode(made, "too late")
        await stopping
        assert (await accepted).errors == {}


async def test_a_model_that_cannot_do_the_task_says_what_it_can() -> None:
    gate = Gate(held=False)
    async with house(gate) as made:
        await encode(made, "warm")
        replica = gate.replicas("fake")[0]
        spec = replace(replica.deployment.spec, chains=(), scoring=Classify(labels=("fits",)))
        replica.deployment = replace(replica.deployment, spec=spec)
        with pytest.raises(UnsupportedTask, match="it can score"):
            await encode(made, "hello")


async def test_what_items_hold_is_found_where_the_model_can() -> None:
    gate = Gate(held=False)
    call = ExtractCall(
        model="fake", items=[Item(text="see Ada"), Item(text="!bad")], labels=("person",)
    )
    async with house(gate) as made:
        await encode(made, "warm")
        caller = Caller(request_id="test")
        with pytest.raises(UnsupportedTask, match="cannot extract"):
            await made.inference.extract(call, caller)
        replica = gate.replicas("fake")[0]
        finds = Extractor(layout="fake", finds=(Finding.ENTITIES,))
        spec = replace(replica.deployment.spec, extraction=finds)
        replica.deployment = replace(replica.deployment, spec=spec)
        result = await made.inference.extract(call, caller)
        ada = Entity(text="Ada", label="person", score=1.0, start=4, end=7)
        assert [found.entities for found in result.items] == [(ada,), ()]
        assert list(result.errors) == [1]


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"items": []}, "items"),
        ({"labels": ("a", "a")}, "labels"),
        ({"labels": (" ",)}, "labels"),
        ({"relations": ("",)}, "relations"),
        ({"threshold": 1.5}, "threshold"),
    ],
)
async def test_what_nobody_could_find_is_refused(asked: dict[str, Any], param: str) -> None:
    async with house() as made:
        call = replace(ExtractCall(model="fake", items=[Item(text="a")]), **asked)
        with pytest.raises(InvalidInput) as caught:
            await made.inference.extract(call, Caller(request_id="test"))
        assert caught.value.param == param


async def test_a_deadline_that_passed_already_is_told() -> None:
    async with house() as made:
        await encode(made, "warm")
        with pytest.raises(DeadlineExceeded):
            await encode(made, "hello", timeout=0.0)


async def test_a_call_for_a_pool_that_is_not_there_takes_no_place() -> None:
    gate = Gate(held=False)
    async with house(gate, machine=Machine(Profiles("cpu", ["l4"]))) as made:
        call = EncodeCall(model="fake", items=[Item(text="hello")])
        with pytest.raises(PoolNotFound):
            await made.inference.encode(call, Caller(request_id="test", pool="none"))
        with pytest.raises(Provisioning):
            await made.inference.encode(call, Caller(request_id="test", machine="L4"))
        assert not gate.launches


async def test_a_call_for_a_pool_and_machine_that_are_here_is_answered() -> None:
    async with house() as made:
        made.pools.create(PoolSpec(name="eval", gpus={"cpu": 1}))
        call = EncodeCall(model="fake", items=[Item(text="hello")])
        result = await made.inference.encode(
            call, Caller(request_id="test", pool="Eval", machine="CPU")
        )
        np.testing.assert_array_equal(result.dense, [vector("hello", 384)])
