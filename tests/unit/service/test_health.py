from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fix_replicas import call, deployment, thread, until

from stelae.cluster.replica import Replica
from stelae.cluster.thread import ThreadReplica
from stelae.errors import WorkerDied
from stelae.service.health import VALID, Health
from stelae.types import ModelState


@asynccontextmanager
async def watched(replica: Replica) -> AsyncIterator[Health]:
    health = Health(lambda: [replica])
    watching = asyncio.create_task(health.watch())
    yield health
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching


async def test_a_replica_that_answers_is_ok() -> None:
    async with thread() as replica, watched(replica) as health:
        await until(lambda: health.of(replica).ok)
        seen = health.of(replica)
        assert (seen.name, seen.state, seen.reason) == ("fake", ModelState.READY, "")
        assert seen.age_s is not None
        assert seen.age_s < VALID


async def test_a_replica_that_does_not_answer_says_why() -> None:
    replica = ThreadReplica(deployment())
    async with watched(replica) as health:
        await until(lambda: "not loaded" in health._reasons.get(("fake", 0), ""))
        assert not health.of(replica).ok


async def test_an_answer_grows_old() -> None:
    async with thread() as replica:
        health = Health(lambda: [replica])
        health._answered["fake", 0] = time.monotonic() - VALID - 0.5
        assert (health.of(replica).ok, health.of(replica).reason) == (False, "no answer for 2.5 s")


async def test_before_the_first_check_nothing_is_known() -> None:
    async with thread() as replica:
        seen = Health(lambda: [replica]).of(replica)
        assert (seen.ok, seen.age_s, seen.reason) == (False, None, "not checked yet")


async def test_a_real_answer_is_as_good_as_a_check() -> None:
    async with thread() as replica:
        health = Health(lambda: [replica])
        health.answered(replica)
        assert health.of(replica).ok


async def test_a_busy_queue_does_not_hold_up_the_check() -> None:
    async with thread() as replica:
        flood = [asyncio.create_task(replica.infer(call("!sleep 0.01", *["x"] * 5000)))] + [
            asyncio.create_task(replica.infer(call(*["y"] * 5000))) for _ in range(3)
        ]
        await until(lambda: replica.in_flight == 4)
        async with watched(replica) as health:
            await until(lambda: health.of(replica).ok)
            assert replica.in_flight > 0
        await asyncio.gather(*flood)


async def test_a_replica_that_failed_is_not_ok_and_says_why() -> None:
    replica = ThreadReplica(deployment())
    replica.state, replica.error = ModelState.FAILED, WorkerDied("the worker is gone for good")
    health = Health(lambda: [replica])
    health.answered(replica)
    seen = health.of(replica)
    assert (seen.ok, seen.reason) == (False, "the worker is gone for good")


async def test_ending_the_watch_ends_its_checks() -> None:
    async with thread() as replica:
        busy = asyncio.create_task(replica.infer(call("!sleep 0.3")))
        await until(lambda: replica.in_flight == 1)
        async with watched(replica):
            await until(lambda: replica.in_flight == 2)
        assert replica.in_flight == 1
        await busy
