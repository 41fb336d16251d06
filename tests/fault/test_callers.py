"""Callers that leave, and signals that reach a worker in the middle of its work."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest
from fix_replicas import ONE_BY_ONE, call, pid_of, right, until, worker

from stelae.errors import DeadlineExceeded


async def test_a_caller_that_leaves_frees_the_queue() -> None:
    async with worker(limits=ONE_BY_ONE) as replica:
        running = asyncio.create_task(replica.infer(call("!sleep 0.2")))
        left = [asyncio.create_task(replica.infer(call("!sleep 1000"))) for _ in range(5)]
        await until(lambda: replica.in_flight == 6)
        for task in left:
            task.cancel()
        await asyncio.wait(left)
        await running
        right(await replica.infer(call("next")), "next")
        assert replica.in_flight == 0


async def test_a_call_whose_deadline_passes_in_the_queue_never_runs() -> None:
    async with worker(limits=ONE_BY_ONE) as replica:
        running = asyncio.create_task(replica.infer(call("!sleep 0.2")))
        await until(lambda: replica.in_flight == 1)
        with pytest.raises(DeadlineExceeded):
            await replica.infer(call("!sleep 1000"), timeout=0.05)
        await running
        right(await replica.infer(call("next")), "next")


async def test_a_worker_told_to_end_answers_what_it_has_and_is_replaced() -> None:
    async with worker() as replica:
        pid = pid_of(replica)
        accepted = asyncio.create_task(replica.infer(call("!sleep 0.3", "accepted")))
        await until(lambda: replica.in_flight == 1)
        os.kill(pid, signal.SIGTERM)
        later = [asyncio.create_task(replica.infer(call(f"later{i}"))) for i in range(10)]
        right(await accepted, "!sleep 0.3", "accepted")
        for i, task in enumerate(later):
            right(await task, f"later{i}")
        await until(lambda: replica.restarts == 1 and pid_of(replica) != pid)


async def test_an_answer_larger_than_the_socket_holds_arrives() -> None:
    async with worker() as replica:
        texts = [f"t{i}" for i in range(20_000)]
        result = await replica.infer(call(*texts))
        right(result, *texts)
