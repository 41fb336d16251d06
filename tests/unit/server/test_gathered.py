"""Writes of one turn of the event loop leave as one."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from stelae.server.gathered import MOST_BYTES, Gathered


class Recorder:
    """A transport that notes what is done to it."""

    def __init__(self) -> None:
        self.done: list[Any] = []

    def writelines(self, pieces: list[bytes]) -> None:
        self.done.append(b"".join(pieces))

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
    transport.write(bytes(MOST_BYTES))
    assert recorder.done == [b"head " + bytes(MOST_BYTES)]
    await asyncio.sleep(0)
    assert len(recorder.done) == 1


async def test_nothing_is_lost_at_the_end() -> None:
    transport, recorder = gathered()
    transport.write(b"last words")
    transport.write_eof()
    transport.write(b"not quite")
    transport.close()
    assert recorder.done == [b"last words", "eof", b"not quite", "close"]
    assert transport.is_closing()


async def test_what_is_broken_off_is_not_sent() -> None:
    transport, recorder = gathered()
    transport.write(b"never")
    transport.abort()
    await asyncio.sleep(0)
    assert recorder.done == ["abort"]
    assert transport.get_write_buffer_size() == 100
