"""A worker that dies takes nobody along but the input that killed it."""

from __future__ import annotations

import asyncio
import os
import signal
from types import SimpleNamespace

import pytest
from fix_replicas import call, deployment, pid_of, right, until, worker

from stelae.cluster import process
from stelae.cluster.patience import Patience
from stelae.cluster.process import ProcessReplica
from stelae.errors import DeadlineExceeded, ModelLoadFailed, PoisonInput, WorkerDied
from stelae.telemetry import log
from stelae.types import EncodeResult, ModelState

QUICK = Patience(pause=0.01, cool_off=0.2)


async def answered(replica: ProcessReplica, text: str) -> EncodeResult:
    """The answer to a call that is sent again until the replica takes it."""
    while True:
        try:
            result: EncodeResult = await replica.infer(call(text))
        except WorkerDied:
            await asyncio.sleep(QUICK.cool_off / 10)
        else:
            return result


async def test_neighbours_of_a_deadly_input_are_all_answered() -> None:
    async with worker() as replica:
        texts = [f"n{i}" for i in range(40)]
        calls = [replica.infer(call(text)) for text in texts]
        poison = asyncio.create_task(replica.infer(call("!sleep 0.05", "!die")))
        answers = await asyncio.gather(*calls)
        with pytest.raises(PoisonInput):
            await poison
        for text, answer in zip(texts, answers, strict=True):
            right(answer, text)


async def test_a_deadly_input_is_refused_at_once_when_it_comes_again() -> None:
    async with worker() as replica:
        with pytest.raises(PoisonInput):
            await replica.infer(call("!die"))
        restarts = replica.restarts
        with pytest.raises(PoisonInput):
            await replica.infer(call("!die"))
        assert replica.restarts == restarts
        right(await replica.infer(call("alive")), "alive")


async def test_two_deadly_inputs_at_once_are_both_found() -> None:
    async with worker() as replica:
        answers = await asyncio.gather(
            replica.infer(call("!die")),
            replica.infer(call("innocent")),
            replica.infer(call("!die", "again")),
            return_exceptions=True,
        )
        assert [type(a) for a in answers] == [PoisonInput, EncodeResult, PoisonInput]
        await until(lambda: replica.state is ModelState.READY)


async def test_calls_that_come_while_the_worker_is_replaced_wait_and_are_answered() -> None:
    async with worker() as replica:
        os.kill(pid_of(replica), signal.SIGKILL)
        await until(lambda: replica.state is ModelState.LOADING)
        right(await replica.infer(call("patient")), "patient")


async def test_a_death_is_not_logged_as_part_of_the_request_that_had_the_model_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Which may be days ago."""
    named: list[tuple[str, str | None]] = []

    def note(event: str, **fields: object) -> None:
        named.append((event, log.REQUEST.get(None)))

    monkeypatch.setattr(process, "log", SimpleNamespace(info=note, warning=note))
    log.REQUEST.set("first")
    async with worker(QUICK) as replica:
        os.kill(pid_of(replica), signal.SIGKILL)
        await until(lambda: replica.restarts == 1 and replica.state is ModelState.READY)
    assert named == [("worker_ready", "first"), ("worker_died", None), ("worker_ready", None)]


async def test_waiting_is_bounded_by_the_deadline() -> None:
    async with worker() as replica:
        os.kill(pid_of(replica), signal.SIGKILL)
        await until(lambda: replica.state is ModelState.LOADING)
        with pytest.raises(DeadlineExceeded):
            await replica.infer(call("impatient"), timeout=0.01)


async def test_killing_the_worker_from_outside_loses_no_call() -> None:
    async with worker() as replica:
        for round_number in range(3):
            texts = [f"r{round_number} n{i}" for i in range(20)]
            pid = pid_of(replica)
            calls = [asyncio.create_task(replica.infer(call("!sleep 0.01", t))) for t in texts]
            await until(lambda: replica.in_flight == 20)
            os.kill(pid, signal.SIGKILL)
            for text, done in zip(texts, await asyncio.gather(*calls), strict=True):
                right(done, "!sleep 0.01", text)
            assert pid_of(replica) != pid
        assert replica.restarts == 3


async def test_an_idle_worker_that_is_killed_is_replaced_without_being_asked() -> None:
    async with worker() as replica:
        pid = pid_of(replica)
        os.kill(pid, signal.SIGKILL)
        await until(lambda: replica.state is ModelState.LOADING)
        await until(lambda: replica.state is ModelState.READY)
        assert pid_of(replica) != pid


async def test_a_caller_that_left_is_not_waited_for_in_the_replay() -> None:
    async with worker() as replica:
        leaver = asyncio.create_task(replica.infer(call("!sleep 0.05", "leaver")))
        killer = asyncio.create_task(replica.infer(call("!die")))
        await until(lambda: replica.in_flight == 2)
        await until(lambda: replica.state is ModelState.LOADING)
        leaver.cancel()
        with pytest.raises(PoisonInput):
            await killer
        right(await replica.infer(call("next")), "next")


async def test_a_worker_that_cannot_be_replaced_is_given_up_and_tried_again_later() -> None:
    arguments: list[str] = []
    async with worker(QUICK, arguments) as replica:
        arguments.append("--no-such-option")
        under_way = asyncio.create_task(replica.infer(call("!sleep 0.2", "lost")))
        await until(lambda: replica.in_flight == 1)
        os.kill(pid_of(replica), signal.SIGKILL)
        with pytest.raises(WorkerDied) as caught:
            await under_way
        assert "no-such-option" in caught.value.details["stderr"]
        assert replica.state is ModelState.FAILED
        with pytest.raises(WorkerDied) as at_once:
            await replica.infer(call("too early"))
        assert at_once.value.retry_after
        arguments.clear()
        right(await answered(replica, "again"), "again")
        assert (replica.state, replica.error) == (ModelState.READY, None)


async def test_a_worker_that_dies_without_a_word_is_reported_with_its_last_ones() -> None:
    replica = ProcessReplica(deployment(), arguments=["--no-such-option"])
    with pytest.raises(ModelLoadFailed, match="exited with status 2") as caught:
        await replica.start()
    assert "unrecognized arguments: --no-such-option" in caught.value.details["stderr"]
    assert replica.state is ModelState.FAILED


async def test_a_load_that_takes_too_long_is_ended() -> None:
    replica = ProcessReplica(deployment(), Patience(start=0.01))
    with pytest.raises(ModelLoadFailed, match="within"):
        await replica.start()


async def test_a_start_that_is_cancelled_leaves_nothing() -> None:
    replica = ProcessReplica(deployment())
    starting = asyncio.create_task(replica.start())
    await asyncio.sleep(0.02)
    starting.cancel()
    await asyncio.wait([starting])
    assert replica.state is ModelState.AVAILABLE
