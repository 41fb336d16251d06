"""The worker process by itself: it ends with its connection, and on SIGTERM when it is done."""

from __future__ import annotations

import itertools
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence

import pytest
from fix_replicas import ONE_BY_ONE, call, deployment

from stelae.cluster import messages
from stelae.cluster.frames import Frame, FrameReader
from stelae.cluster.messages import Cancel, Done, Infer, Load, Message, Ping, Pong, Ready, Refused
from stelae.errors import Cancelled, DeadlineExceeded, ModelNotReady, ShuttingDown
from stelae.types import Task


class Bare:
    """A worker process and the other end of its connection, without any server."""

    def __init__(self, *arguments: str) -> None:
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(20.0)
        with theirs:
            command = [sys.executable, "-m", "stelae.cluster.worker", "--fd", str(theirs.fileno())]
            self.process = subprocess.Popen(
                [*command, *arguments], pass_fds=(theirs.fileno(),), stderr=subprocess.PIPE
            )
        self._reader = FrameReader()
        self._frames: list[Frame] = []

    def send(self, message: Message, *buffers: bytes) -> None:
        self.socket.sendall(b"".join(messages.write(message, buffers)))

    def infer(self, id: int, *texts: str, timeout: float | None = None) -> None:
        payload = messages.payload(call(*texts))
        self.send(Infer(id, Task.ENCODE, timeout), *map(bytes, payload))

    def receive(self) -> Message:
        while not self._frames:
            count = self.socket.recv_into(self._reader.room())
            assert count, "the worker hung up"
            self._frames += self._reader.received(count)
        return messages.read(self._frames.pop(0))

    def load(self) -> None:
        self.send(Load(deployment(limits=ONE_BY_ONE)))
        assert isinstance(self.receive(), Ready)


@pytest.fixture
def arguments() -> Sequence[str]:
    """Further arguments of the worker."""
    return ()


@pytest.fixture
def bare(arguments: Sequence[str]) -> Iterator[Bare]:
    made = Bare(*arguments)
    yield made
    made.socket.close()
    made.process.kill()
    made.process.communicate()


def test_it_ends_when_the_server_is_gone(bare: Bare) -> None:
    bare.load()
    bare.socket.close()
    assert bare.process.wait(5.0) == 0


def test_it_ends_when_the_server_goes_while_the_device_is_busy(bare: Bare) -> None:
    bare.load()
    bare.infer(1, "!sleep 1000")
    bare.socket.close()
    assert bare.process.wait(5.0) == 0


def test_it_ends_when_the_server_is_killed() -> None:
    program = (
        "import asyncio, os\n"
        "from fix_replicas import deployment\n"
        "from stelae.cluster.process import ProcessReplica\n"
        "async def main():\n"
        "    replica = ProcessReplica(deployment())\n"
        "    await replica.start()\n"
        "    os.write(1, str(replica._link.pid).encode())\n"
        "    await asyncio.sleep(1000)\n"
        "asyncio.run(main())\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment
    ) as server:
        assert server.stdout is not None
        told = os.read(server.stdout.fileno(), 20)
        descriptor = os.pidfd_open(int(told))
        server.kill()
        ended, _, _ = select.select([descriptor], [], [], 5.0)
        os.close(descriptor)
        assert ended


def test_control_c_is_the_servers_business(bare: Bare) -> None:
    bare.load()
    bare.process.send_signal(signal.SIGINT)
    bare.infer(1, "still here")
    assert bare.receive() == Done(1)


def test_sigterm_lets_it_finish_what_it_accepted(bare: Bare) -> None:
    bare.load()
    bare.infer(1, "!sleep 0.3")
    bare.send(Ping())
    assert isinstance(bare.receive(), Pong)  # so call 1 has been read
    bare.process.send_signal(signal.SIGTERM)
    assert bare.receive() == Done(1)
    assert bare.process.wait(5.0) == 0


def test_after_sigterm_calls_are_taken_for_a_while_and_then_sent_back(bare: Bare) -> None:
    bare.load()
    bare.infer(1, "!sleep 1.5")
    bare.send(Ping())
    assert isinstance(bare.receive(), Pong)
    bare.process.send_signal(signal.SIGTERM)
    answer: Message = Ping()
    for id in itertools.count(2):
        bare.infer(id, "late")
        bare.send(Ping())
        if not isinstance(answer := bare.receive(), Pong):
            break
    assert id > 2
    assert isinstance(answer, Refused)
    assert (answer.id, answer.error.code) == (id, ShuttingDown.code)


def test_garbage_ends_it(bare: Bare) -> None:
    bare.load()
    bare.socket.sendall(b"GET / HTTP/1.1\r\nHost: nobody\r\n\r\n")
    assert bare.process.wait(5.0) != 0


@pytest.mark.parametrize("arguments", [("--log", "json")])
def test_it_logs_as_it_is_told(bare: Bare) -> None:
    bare.send(Done(1))  # only workers say this
    bare.socket.close()
    assert bare.process.stderr is not None
    event = json.loads(bare.process.stderr.readline())
    assert (event["event"], event["message_type"]) == ("unexpected_message", "Done")


def test_a_broken_call_is_that_calls_failure(bare: Bare) -> None:
    bare.load()
    bare.send(Infer(1, Task.ENCODE), b"\xc1 no msgpack")
    answer = bare.receive()
    assert isinstance(answer, Refused)
    bare.infer(2, "fine")
    assert bare.receive() == Done(2)


def test_calls_before_the_model_is_there_are_refused(bare: Bare) -> None:
    bare.infer(1, "early")
    answer = bare.receive()
    assert isinstance(answer, Refused)
    assert answer.error.code == ModelNotReady.code


def test_cancelled_calls_are_dropped_from_the_queue(bare: Bare) -> None:
    bare.load()
    bare.infer(1, "!sleep 0.2")
    bare.infer(2, "!sleep 1000")
    bare.send(Cancel(2))
    answer = bare.receive()
    assert isinstance(answer, Refused)
    assert (answer.id, answer.error.code) == (2, Cancelled.code)
    assert bare.receive() == Done(1)
    bare.infer(3, "the device is free")
    assert bare.receive() == Done(3)


def test_calls_whose_time_passed_in_the_queue_never_run(bare: Bare) -> None:
    bare.load()
    bare.infer(1, "!sleep 0.2")
    bare.infer(2, "!sleep 1000", timeout=0.05)
    bare.infer(3, "after")
    answers = [bare.receive() for _ in range(3)]
    late = [a for a in answers if isinstance(a, Refused)]
    assert [(a.id, a.error.code) for a in late] == [(2, DeadlineExceeded.code)]
    assert {a.id for a in answers if isinstance(a, Done)} == {1, 3}


def test_a_cancel_that_comes_too_late_is_ignored(bare: Bare) -> None:
    bare.load()
    bare.infer(1, "done")
    assert bare.receive() == Done(1)
    bare.send(Cancel(1))
    bare.send(Cancel(999))
    bare.send(Ping())
    assert isinstance(bare.receive(), Pong)
