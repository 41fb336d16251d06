"""Writes of one turn of the event loop leave as one."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Any, cast

import pytest
import uvloop

from stelae.server.gathered import MOST_BYTES, Gathered


class Recorder:
    """A transport that notes what is done to it."""

    def __init__(self) -> None:
        self.done: list[Any] = []

    def write(self, data: bytes) -> None:
        self.done.append(data)

    def write_eof(self) -> None:
        self.done.append("eof")

    def close(self) -> None:
        self.done.append("close")

    def abort(self) -> None:
        self.done.append("abort")

    def get_write_buffer_size(self) -> int:
        return 100

    def is_closing(self) -> bool:
        return "close" in self.done


def gathered() -> tuple[Gathered, Recorder]:
    recorder = Recorder()
    return Gathered(cast("asyncio.Transport", recorder), asyncio.get_running_loop()), recorder


async def test_a_head_and_its_body_leave_together() -> None:
    transport, recorder = gathered()
    transport.write(b"head ")
    transport.writelines([b"body ", b"end"])
    assert recorder.done == []
    assert transport.get_write_buffer_size() == 100 + len("head body end")
    await asyncio.sleep(0)
    assert recorder.done == [b"head body end"]
    assert transport.get_write_buffer_size() == 100
    transport.write(b"next")
    await asyncio.sleep(0)
    assert recorder.done == [b"head body end", b"next"]


async def test_much_leaves_at_once() -> None:
    transport, recorder = gathered()
    transport.write(b"head ")
    body = bytes(MOST_BYTES)
    transport.write(body)
    assert recorder.done == [b"head ", body]
    assert recorder.done[1] is body
    await asyncio.sleep(0)
    assert len(recorder.done) == 2


async def test_the_last_of_an_answer_leaves_now_after_what_waits() -> None:
    transport, recorder = gathered()
    transport.write_last(b"answer")
    assert recorder.done == [b"answer"]
    transport.write(b"part ")
    transport.write_last(b"last")
    assert recorder.done[1:] == [b"part last"]
    await asyncio.sleep(0)
    assert len(recorder.done) == 2


async def test_nothing_is_lost_at_the_end() -> None:
    transport, recorder = gathered()
    transport.write(b"last")
    transport.write_eof()
    assert recorder.done == [b"last", "eof"]
    transport, recorder = gathered()
    transport.write(b"words")
    transport.close()
    assert recorder.done == [b"words", "close"]
    assert transport.is_closing()


@pytest.mark.parametrize("end", ["write_eof", "close"])
@pytest.mark.parametrize("size", [5, 2 * MOST_BYTES], ids=["little", "much"])
async def test_nothing_is_written_after_the_end(end: str, size: int) -> None:
    transport, recorder = gathered()
    getattr(transport, end)()
    transport.write(bytes(size))
    transport.close()
    await asyncio.sleep(0)
    assert not any(isinstance(done, bytes) for done in recorder.done)


async def test_nothing_is_not_written() -> None:
    transport, recorder = gathered()
    transport.write(b"")
    await asyncio.sleep(0)
    assert recorder.done == []


async def test_what_is_broken_off_is_not_sent() -> None:
    transport, recorder = gathered()
    transport.write(b"never")
    transport.abort()
    await asyncio.sleep(0)
    assert recorder.done == ["abort"]
    assert transport.get_write_buffer_size() == 100


class Pipelined(asyncio.Protocol):
    """Answers some times, one turn after the other, until the client is seen to be gone."""

    _gone = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport = Gathered(cast("asyncio.Transport", transport), self._loop)

    def data_received(self, data: bytes) -> None:
        self._answer(data, times=6)

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone = True

    def _answer(self, data: bytes, times: int) -> None:
        if times and not self._gone:
            self._transport.write(data)
            self._loop.call_soon(self._answer, data, times - 1)


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_clients_that_are_gone_before_their_answer_are_no_error(
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def leave() -> list[dict[str, Any]]:
        errors: list[dict[str, Any]] = []
        running = asyncio.get_running_loop()
        running.set_exception_handler(lambda _, context: errors.append(context))
        async with await running.create_server(Pipelined, "127.0.0.1", 0) as server:
            for _ in range(20):
                with socket.create_connection(server.sockets[0].getsockname()) as client:
                    reset = struct.pack("ii", 1, 0)
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
                    client.send(b"hello")
            await asyncio.sleep(0.05)
        return errors

    with asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(leave()) == []
