"""Answers that are told as they are made."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncGenerator

import pytest
from starlette.types import Message

from stelae.dialects.events import ChunksResponse, EventsResponse, LinesResponse, event, line
from stelae.errors import EngineFailed

pytestmark = pytest.mark.asyncio


async def sent(answer: EventsResponse) -> list[Message]:
    messages: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        messages.append(message)

    await answer({"type": "http"}, receive, send)
    return messages


async def told(*parts: bytes) -> AsyncGenerator[bytes]:
    for part in parts:
        yield part


async def test_each_line_is_a_value_in_a_part_of_its_own() -> None:
    begun, *parts, end = await sent(LinesResponse(told(line({"a": 1}), line({"b": "\n"}))))
    assert (b"content-type", b"application/x-ndjson") in begun["headers"]
    assert [part["body"] for part in parts] == [b'{"a":1}\n', b'{"b":"\\n"}\n']
    assert not end.get("more_body", False)


@pytest.mark.parametrize("kind", [EventsResponse, LinesResponse])
async def test_no_sign_within_a_part_ends_a_line(kind: type[EventsResponse]) -> None:
    text = "a\x85b\u2028c\u2029d\x0b\x0c\x1c\x1d\x1e\r\nend: é中\U0001f600"
    _, part, _ = await sent(kind(told(line({"text": text}))))
    written, rest = part["body"].decode().splitlines(), part["body"][-1:]
    assert (len(written), rest) == (1, b"\n")
    assert json.loads(written[0]) == {"text": text}


async def test_chunks_of_files_stay_as_they_are() -> None:
    chunk = "\x85\u2028".encode()
    _, part, _ = await sent(ChunksResponse(told(chunk), "audio/wav"))
    assert part["body"] == chunk


async def test_events_may_have_headers_beside_their_own() -> None:
    begun, part, _ = await sent(EventsResponse(told(event(b"1")), {"x-request": "7"}))
    assert (b"x-request", b"7") in begun["headers"]
    assert (b"cache-control", b"no-cache") in begun["headers"]
    assert part["body"] == b"data: 1\n\n"


async def test_file_has_its_type_and_nothing_between_its_chunks() -> None:
    begun, *parts, end = await sent(ChunksResponse(told(b"a", b"b"), "audio/wav"))
    assert (b"content-type", b"audio/wav") in begun["headers"]
    assert [part["body"] for part in parts] == [b"a", b"b"]
    assert not end.get("more_body", False)


async def test_file_that_fails_is_not_ended() -> None:
    async def failing() -> AsyncGenerator[bytes]:
        yield b"a"
        raise EngineFailed("no")

    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    with pytest.raises(EngineFailed):
        await ChunksResponse(failing(), "audio/wav")({"type": "http"}, receive, send)
    assert messages[-1].get("more_body") is True


@pytest.mark.parametrize("turns", range(6))
async def test_end_that_comes_as_the_caller_leaves_is_no_fault_of_the_loop(turns: int) -> None:
    faults: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, fault: faults.append(fault))
    over = asyncio.Event()

    async def nothing() -> AsyncGenerator[bytes]:
        await over.wait()
        for _ in ():
            yield b""

    leaving = asyncio.create_task(sent(EventsResponse(nothing())))
    for _ in range(6):
        await asyncio.sleep(0)
    over.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    del leaving
    await asyncio.sleep(0)
    gc.collect()
    assert faults == []
