"""Answers that are told as they are made."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
from starlette.types import Message

from stelae.dialects.events import EventsResponse, LinesResponse, event, line

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


async def test_events_may_have_headers_beside_their_own() -> None:
    begun, part, _ = await sent(EventsResponse(told(event(b"1")), {"x-request": "7"}))
    assert (b"x-request", b"7") in begun["headers"]
    assert (b"cache-control", b"no-cache") in begun["headers"]
    assert part["body"] == b"data: 1\n\n"
