"""A worker that stops answering is replaced, and its calls are answered."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest
from fix_replicas import ONE_BY_ONE, call, pid_of, right, until, worker

from stelae.cluster.patience import Patience
from stelae.errors import PoisonInput

SHORT = Patience(hang=1.0)


async def test_a_stopped_worker_is_replaced_and_its_calls_are_answered() -> None:
    async with worker(SHORT) as replica:
        pid = pid_of(replica)
        os.kill(pid, signal.SIGSTOP)
        right(await replica.infer(call("held up")), "held up")
        assert pid_of(replica) != pid


async def test_an_input_that_never_ends_is_refused() -> None:
    async with worker(SHORT) as replica:
        endless = asyncio.create_task(replica.infer(call("!sleep 1000")))
        await until(lambda: replica.in_flight == 1)
        right(await replica.infer(call("neighbour")), "neighbour")
        with pytest.raises(PoisonInput):
            await endless


async def test_a_long_queue_of_short_batches_is_no_hang() -> None:
    async with worker(SHORT, limits=ONE_BY_ONE) as replica:
        await asyncio.gather(*(replica.infer(call(f"!sleep 0.3{i}")) for i in range(6)))
        assert replica.restarts == 0


async def test_stopping_a_stopped_worker_does_not_hang() -> None:
    async with worker() as replica:
        os.kill(pid_of(replica), signal.SIGSTOP)
        await replica.stop(0.0)
