"""What both kinds of replica promise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest
from fix_replicas import call, deployment, thread, until, worker
from msgspec.structs import replace

from stelae.cluster.controller import Placement
from stelae.cluster.local import LocalController
from stelae.cluster.replica import Replica
from stelae.engines.fake.engine import vector
from stelae.errors import (
    DeadlineExceeded,
    EngineFailed,
    InvalidInput,
    ModelLoadFailed,
    ModelNotReady,
    QueueFull,
    StelaeError,
)
from stelae.scheduler.queue import Limits
from stelae.types import ModelState


@pytest.fixture(params=list(Placement))
async def replica(request: pytest.FixtureRequest) -> AsyncIterator[Replica]:
    make = worker if request.param is Placement.PROCESS else thread
    async with make(limits=Limits(queue_tokens=64, batch_items=1)) as made:
        yield made


async def test_answers_in_order(replica: Replica) -> None:
    texts = ["one", "two words", "", "ünïcode 漢字", "nul \0 byte"]
    result = await replica.infer(call(*texts))
    expected = np.stack([vector(" ".join(text.split())) for text in texts])
    np.testing.assert_array_equal(result.dense, expected)
    assert result.tokens.tolist() == [1, 2, 1, 2, 3]


async def test_many_calls_at_once_are_not_mixed_up(replica: Replica) -> None:
    texts = [f"text{i}" for i in range(30)]
    results = await asyncio.gather(*(replica.infer(call(text)) for text in texts))
    for text, result in zip(texts, results, strict=True):
        np.testing.assert_array_equal(result.dense[0], vector(text))


async def test_tells_what_is_loaded(replica: Replica) -> None:
    assert (replica.state, replica.error, replica.restarts) == (ModelState.READY, None, 0)
    assert replica.info is not None
    assert replica.info.fingerprint == "fake"
    assert replica.memory_bytes > 1 << 20


async def test_an_items_failure_is_that_items_alone(replica: Replica) -> None:
    result = await replica.infer(call("good", "!fail", "!bad", "fine"))
    assert {i: e.code for i, e in result.errors.items()} == {
        1: EngineFailed.code,
        2: InvalidInput.code,
    }
    assert np.isfinite(result.dense[[0, 3]]).all()


async def test_a_late_answer_is_a_deadline_exceeded(replica: Replica) -> None:
    with pytest.raises(DeadlineExceeded):
        await replica.infer(call("!sleep 0.3"), timeout=0.05)
    assert (await replica.infer(call("next"))).errors == {}


async def test_a_full_queue_refuses_at_once(replica: Replica) -> None:
    busy = asyncio.create_task(replica.infer(call("!sleep 0.3", *["x" * 200])))
    await until(lambda: replica.in_flight > 0)
    with pytest.raises(QueueFull) as caught:
        await replica.infer(call("y" * 200))
    assert caught.value.retry_after
    await busy


async def test_an_urgent_call_is_never_refused_for_a_full_queue(replica: Replica) -> None:
    busy = asyncio.create_task(replica.infer(call("!sleep 0.2", *["x" * 400])))
    await until(lambda: replica.in_flight > 0)
    await replica.infer(call("canary" * 50), urgent=True)
    await busy


async def test_a_caller_that_leaves_takes_its_waiting_work_along(replica: Replica) -> None:
    running = asyncio.create_task(replica.infer(call("!sleep 0.2", "x" * 200)))
    await until(lambda: replica.in_flight == 1)
    leaver = asyncio.create_task(replica.infer(call("!sleep 1000")))
    await until(lambda: replica.in_flight == 2)
    leaver.cancel()
    await asyncio.wait([leaver])
    await running
    assert (await replica.infer(call("next"))).errors == {}
    assert replica.in_flight == 0


async def test_stopping_answers_what_was_accepted(replica: Replica) -> None:
    accepted = asyncio.create_task(replica.infer(call("!sleep 0.2", "last words")))
    await until(lambda: replica.in_flight > 0)
    stopping = asyncio.create_task(replica.stop(10.0))
    await until(lambda: replica.state is ModelState.STOPPING)
    with pytest.raises(StelaeError, match="unloaded"):
        await replica.infer(call("too late"))
    np.testing.assert_array_equal((await accepted).dense[1], vector("last words"))
    await stopping
    assert (replica.state, replica.info) == (ModelState.AVAILABLE, None)


async def test_stopping_without_patience_refuses_what_is_left(replica: Replica) -> None:
    left = asyncio.create_task(replica.infer(call("!sleep 0.2")))
    await until(lambda: replica.in_flight > 0)
    await replica.stop(0.0)
    with pytest.raises(StelaeError):
        await left


async def test_calls_before_the_start_are_told_so() -> None:
    for placement in Placement:
        made = LocalController(placement)._make(deployment())
        with pytest.raises(ModelNotReady):
            await made.infer(call("early"))


@pytest.mark.parametrize("placement", list(Placement))
async def test_a_model_that_fails_its_first_check_is_not_loaded(placement: Placement) -> None:
    controller = LocalController(placement)
    with pytest.raises(EngineFailed):
        await controller.launch(deployment(dimensions=-1))
    assert controller.replicas() == []


@pytest.mark.parametrize("placement", list(Placement))
async def test_whatever_a_load_raises_arrives_as_one_of_our_errors(placement: Placement) -> None:
    controller = LocalController(placement)
    with pytest.raises(ModelLoadFailed, match="KeyError"):
        await controller.launch(replace(deployment(), engine="uninstalled"))
    assert controller.replicas() == []


@pytest.mark.parametrize("placement", list(Placement))
async def test_the_controller_knows_what_it_launched(placement: Placement) -> None:
    controller = LocalController(placement)
    made = await controller.launch(deployment())
    assert [*controller.replicas("fake")] == [*controller.replicas()] == [made]
    await controller.stop("fake", 1.0)
    await controller.stop("fake", 1.0)
    assert controller.replicas() == []
