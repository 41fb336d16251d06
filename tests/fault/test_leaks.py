"""Nothing piles up: no file descriptor, process, thread or task."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import signal
import threading
from pathlib import Path

import pytest
from fix_replicas import call, deployment, pid_of, until, worker

from stelae.cluster.controller import Placement
from stelae.cluster.link import Link
from stelae.cluster.local import LocalController
from stelae.cluster.process import ProcessReplica
from stelae.errors import NoCapacity, PoisonInput


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def ours(before: set[threading.Thread]) -> set[threading.Thread]:
    return set(threading.enumerate()) - before


async def held() -> tuple[int, int]:
    """File descriptors and tasks, once the loop's own threads have come to rest."""
    return descriptors(), len(asyncio.all_tasks())


@pytest.mark.parametrize("placement", list(Placement))
async def test_launching_and_stopping_leaves_nothing(placement: Placement) -> None:
    controller = LocalController(placement)
    threads = set(threading.enumerate())
    counts = []
    for _ in range(4):
        replica = await controller.launch(deployment())
        await replica.infer(call("hello"))
        await controller.stop("fake", 1.0)
        counts.append(await held())
    assert counts[1] == counts[3]
    await until(lambda: not any(t.name.startswith("stelae-") for t in ours(threads)))


async def test_deaths_leave_nothing() -> None:
    async with worker() as replica:
        counts = []
        for i in range(4):
            if i % 2:
                with pytest.raises(PoisonInput):
                    await replica.infer(call("!die", str(i)))
            else:
                pid = pid_of(replica)
                os.kill(pid, signal.SIGKILL)
                await until(lambda pid=pid: pid_of(replica) != pid)
            await replica.infer(call("fine"))
            counts.append(await held())
        assert counts[1] == counts[3]


async def test_workers_that_are_not_waited_for_leave_nothing() -> None:
    for steps in range(6):
        starting = asyncio.create_task(Link.spawn())
        for _ in range(steps):
            await asyncio.sleep(0)
        starting.cancel()
        await asyncio.wait([starting])
        if not starting.cancelled():
            (await starting).kill()
            await (await starting).close()
        del starting
        gc.collect()  # a file that was not closed is an error of the test


async def test_callers_that_leave_leave_nothing() -> None:
    async with worker() as replica:
        for _ in range(50):
            task = asyncio.create_task(replica.infer(call("!sleep 0.001")))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        await replica.infer(call("last"))
        assert replica._link is not None
        assert replica.in_flight == 0
        assert [t for t in replica._link.tickets.values() if not t.urgent] == []


async def test_running_out_of_descriptors_is_told_and_leaves_nothing() -> None:
    async with worker():
        pass  # the loop opens what it keeps
    before = await held()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    refused = 0
    for spare in range(0, 16, 3):
        replica = ProcessReplica(deployment())
        resource.setrlimit(resource.RLIMIT_NOFILE, (before[0] + spare, hard))
        try:
            await replica.start()
        except NoCapacity:
            refused += 1
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        await replica.stop(0.0)
        assert await held() == before
    assert 0 < refused < 6
