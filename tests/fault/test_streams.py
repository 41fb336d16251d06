"""Answers in pieces: in order, bounded, ended when nobody reads, and never cut off in silence."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest
from fix_replicas import pid_of, until

from stelae.catalog.spec import Backbone, Generation, ModelSpec, Source
from stelae.cluster.deployment import Deployment
from stelae.cluster.process import ProcessReplica
from stelae.cluster.thread import ThreadReplica
from stelae.engines.fake_text.engine import FakeTextEngine
from stelae.errors import (
    DeadlineExceeded,
    EngineFailed,
    InputTooLong,
    PoisonInput,
    ShuttingDown,
    StelaeError,
    WorkerDied,
)
from stelae.scheduler.streams import WINDOW, StreamRunner
from stelae.types import ChatCall, Delta, Message, ModelState, Speaker, TextPart

AnyReplica = ProcessReplica | ThreadReplica


def deployment() -> Deployment:
    spec = ModelSpec(
        name="fake",
        source=Source(kind="folder", location="fake"),
        folder="fake",
        backbone=Backbone(folder="", architecture="", config={}, weights=()),
        generation=Generation(template="", ends=()),
        max_tokens=256,
    )
    return Deployment(name="fake", spec=spec, engine="fake_text")


def call(text: str) -> ChatCall:
    said = Message(role=Speaker.USER, content=[TextPart(text=text)])
    return ChatCall(model="fake", messages=[said])


@asynccontextmanager
async def started(kind: type[AnyReplica]) -> AsyncIterator[AnyReplica]:
    replica = kind(deployment())
    await replica.start()
    try:
        yield replica
    finally:
        await replica.stop(0.0)


both = pytest.mark.parametrize("kind", [ProcessReplica, ThreadReplica])


async def taken(replica: AnyReplica, text: str, timeout: float | None = None) -> list[Delta]:
    stream = replica.stream(call(text), timeout=timeout)
    return [piece async for pieces in stream for piece in pieces]


@both
async def test_pieces_come_in_order_and_the_last_says_so(kind: type[AnyReplica]) -> None:
    async with started(kind) as replica:
        texts = [f"call {i} of " + "many " * (i % 5) for i in range(20)]
        answers = await asyncio.gather(*(taken(replica, text) for text in texts))
        for text, pieces in zip(texts, answers, strict=True):
            assert "".join(piece.text for piece in pieces) == text
            assert [piece.usage is not None for piece in pieces].index(True) == len(pieces) - 1


@both
async def test_reader_who_takes_nothing_is_sent_a_window_and_no_more(
    kind: type[AnyReplica],
) -> None:
    async with started(kind) as replica, aclosing(replica.stream(call("!more"))) as stream:
        await anext(stream)
        batches = await settled(replica)
        assert batches <= 2 * WINDOW
        for _ in range(3 * WINDOW):
            await anext(stream)
        assert await settled(replica) > batches


async def settled(replica: AnyReplica) -> int:
    """Pieces made once no more are."""
    last = -1
    while (made := await batches(replica)) != last:
        last = made
        await asyncio.sleep(0.05)
    return made


async def batches(replica: AnyReplica) -> int:
    if isinstance(replica, ThreadReplica):
        return replica.vitals.batches
    assert replica._link is not None
    replica._link.ping()
    link = replica._link
    await until(lambda: link.pong is not None)
    assert link.pong is not None
    return link.pong.batches


@both
async def test_work_ends_when_the_reader_leaves(kind: type[AnyReplica]) -> None:
    async with started(kind) as replica:
        async with aclosing(replica.stream(call("!more"))) as stream:
            await anext(stream)
        await settled(replica)
        assert replica.in_flight == 0
        assert (await taken(replica, "still here"))[0].text == "still"


@both
async def test_failure_after_pieces_is_an_error_not_an_end(kind: type[AnyReplica]) -> None:
    async with started(kind) as replica:
        said, failure = await broken(replica, "one two !fail three")
        assert said == "one two"
        assert isinstance(failure, EngineFailed)


@both
async def test_refusal_comes_before_any_piece(kind: type[AnyReplica]) -> None:
    async with started(kind) as replica:
        with pytest.raises(InputTooLong):
            await anext(replica.stream(call("word " * 300)))


@both
async def test_deadline_ends_an_answer(kind: type[AnyReplica]) -> None:
    async with started(kind) as replica:
        with pytest.raises(DeadlineExceeded):
            await taken(replica, "!wait", timeout=0.2)


@both
async def test_unloading_in_mid_answer_is_an_error(kind: type[AnyReplica]) -> None:
    async with started(kind) as replica:
        reading = asyncio.create_task(taken(replica, "go on !wait"))
        await until(lambda: replica.in_flight == 1)
        await replica.stop(0.1)
        with pytest.raises(StelaeError):
            await reading


async def broken(replica: AnyReplica, text: str) -> tuple[str, StelaeError]:
    said = ""
    try:
        async for pieces in replica.stream(call(text)):
            said += "".join(piece.text for piece in pieces)
    except StelaeError as error:
        return said, error
    raise AssertionError("it ended as if it were whole")


async def test_worker_killed_in_mid_answer_is_a_typed_error_and_is_replaced() -> None:
    async with started(ProcessReplica) as replica:
        assert isinstance(replica, ProcessReplica)
        stream = replica.stream(call("one !wait"))
        await anext(stream)
        os.kill(pid_of(replica), signal.SIGKILL)
        with pytest.raises(WorkerDied, match="not whole"):
            await anext(stream)
        await until(lambda: replica.state is ModelState.READY)
        assert (await taken(replica, "again"))[0].text == "again"


async def test_deadly_word_ends_the_answer_with_an_error() -> None:
    async with started(ProcessReplica) as replica:
        _, failure = await broken(replica, "one !die two")
        assert isinstance(failure, WorkerDied)


async def test_an_input_that_ends_workers_again_and_again_is_refused() -> None:
    async with started(ProcessReplica) as replica:
        for neighbour in ("one !wait", "two !wait"):
            stream = replica.stream(call(neighbour))
            await anext(stream)
            await broken(replica, "one !die two")
            with pytest.raises(WorkerDied):
                await anext(stream)
            await until(lambda: replica.state is ModelState.READY)
        _, failure = await broken(replica, "one !die two")
        assert isinstance(failure, PoisonInput)
        assert (await taken(replica, "still here"))[0].text == "still"


async def test_closed_runner_refuses_and_leaves_no_thread() -> None:
    engine = FakeTextEngine()
    runner = StreamRunner(engine)
    waiting = runner.submit(call("!wait"), timeout=None, emit=lambda pieces: None)
    runner.close()
    assert engine.closed
    assert isinstance(waiting.future.exception(), ShuttingDown)
    refused = runner.submit(call("late"), timeout=None, emit=lambda pieces: None)
    assert isinstance(refused.future.exception(), ShuttingDown)
    assert not runner._thread.is_alive()
