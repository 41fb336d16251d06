from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterable, Iterator

import pytest

from stelae.cluster import messages
from stelae.cluster.link import Link
from stelae.cluster.messages import Cancel, Failed, Pong, Ready
from stelae.cluster.vitals import Vitals
from stelae.engines.base import EngineInfo
from stelae.errors import MissingDependency

INFO = EngineInfo(fingerprint="f", dtype="float32", device="cpu")


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """Some process that stands in for a worker whose bytes the test makes up."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as made:
        yield made
        made.kill()


def receive(link: Link, data: bytes) -> None:
    link.get_buffer(-1)[: len(data)] = data
    link.buffer_updated(len(data))


def frame(message: messages.Message) -> bytes:
    return b"".join(messages.write(message))


def ready(memory_bytes: int) -> Ready:
    return Ready(INFO, memory_bytes, "fake", "preferred")


async def test_a_worker_that_sends_garbage_is_ended(process: subprocess.Popen[bytes]) -> None:
    receive(Link(process), b"Traceback (most recent call last):\n")
    assert process.wait(5.0) == -9


async def test_a_message_that_only_a_server_sends_is_passed_over(
    process: subprocess.Popen[bytes],
) -> None:
    link = Link(process)
    receive(link, frame(Cancel(1)) + frame(Pong(Vitals(batches=3))))
    assert link.pong == Vitals(batches=3)


async def test_ready_counts_once(process: subprocess.Popen[bytes]) -> None:
    link = Link(process)
    receive(link, frame(ready(1)) + frame(ready(2)))
    assert (await link.loaded).memory_bytes == 1


async def test_a_failed_load_arrives_as_the_workers_error(
    process: subprocess.Popen[bytes],
) -> None:
    link = Link(process)
    error = MissingDependency("no such package", hint="install it")
    receive(link, frame(Failed(error.info)))
    with pytest.raises(MissingDependency, match="install it"):
        await link.loaded


async def test_answers_to_unknown_calls_are_passed_over(process: subprocess.Popen[bytes]) -> None:
    link = Link(process)
    receive(
        link, frame(messages.Done(99)) + frame(messages.Refused(98, MissingDependency("").info))
    )
    assert link.tickets == {}


class Pipe(asyncio.Transport):
    """Keeps what is written, write by write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []

    def writelines(self, pieces: Iterable[bytes | bytearray | memoryview]) -> None:
        self.writes.append(b"".join(pieces))

    def is_closing(self) -> bool:
        return False


async def test_messages_of_one_turn_of_the_loop_leave_in_one_write(
    process: subprocess.Popen[bytes],
) -> None:
    link, pipe = Link(process), Pipe()
    link.connection_made(pipe)
    link.send(Cancel(1))
    link.send(Cancel(2))
    assert pipe.writes == []

    await asyncio.sleep(0)
    link.send(Cancel(3))
    await asyncio.sleep(0)

    assert pipe.writes == [frame(Cancel(1)) + frame(Cancel(2)), frame(Cancel(3))]
