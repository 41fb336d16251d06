"""One request and its answer, as the application sees them."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.server import ServerState

from stelae.server.exchange import Exchange


class Wire:
    """A transport that notes what is written, and when it is closed."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    write_last = write

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


SCOPE: Scope = {"type": "http", "path": "/"}


def exchange(
    method: str = "POST",
    *,
    keep_alive: bool = True,
    expects: bool = False,
    server: ServerState | None = None,
) -> tuple[Exchange, Wire]:
    wire = Wire()
    flow = FlowControl(cast("asyncio.Transport", wire))
    state = server or ServerState()
    made = Exchange(method, wire, flow, state, lambda: None, keep_alive=keep_alive, expects=expects)
    return made, wire


async def answer(
    made: Exchange, *parts: bytes, status: int = 200, length: int | None = None
) -> None:
    headers = [] if length is None else [(b"content-length", b"%d" % length)]
    await made.send({"type": "http.response.start", "status": status, "headers": headers})
    for index, part in enumerate(parts, start=1):
        more = index < len(parts)
        await made.send({"type": "http.response.body", "body": part, "more_body": more})


async def test_body_that_is_there_is_told_at_once() -> None:
    made, _ = exchange()
    assert made.arrived() is None
    made.put(b"one ")
    made.put(b"two")
    assert made.arrived() == {"type": "http.request", "body": b"one two", "more_body": True}
    assert made.arrived() is None
    made.end()
    assert made.arrived() == {"type": "http.request", "body": b"", "more_body": False}
    assert made.arrived() is None


async def test_who_receives_waits_for_what_comes() -> None:
    made, _ = exchange()
    waiting = asyncio.create_task(made.receive())
    await asyncio.sleep(0)
    made.put(b"late")
    assert (await waiting)["body"] == b"late"


async def test_client_is_told_to_go_on_once() -> None:
    made, wire = exchange(expects=True)
    waiting = asyncio.create_task(made.receive())
    await asyncio.sleep(0)
    made.put(b"x")
    await waiting
    made.end()
    await made.receive()
    assert wire.writes == [b"HTTP/1.1 100 Continue\r\n\r\n"]


async def test_answer_of_known_length_is_one_write() -> None:
    made, wire = exchange()
    await answer(made, b"body", length=4)
    assert wire.writes == [b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody"]
    assert made.answered
    assert not wire.closed


async def test_answer_tells_the_time_at_which_it_begins() -> None:
    """RFC 9110, section 6.6.1: a server that has a clock dates its answers."""
    server = ServerState()
    made, wire = exchange(server=server)
    server.default_headers = [(b"date", b"Sun, 06 Nov 1994 08:49:37 GMT")]
    await answer(made, b"", length=0)
    assert b"\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n" in wire.writes[0]


async def test_answer_of_unknown_length_is_chunked_and_begins_before_its_body() -> None:
    made, wire = exchange()
    await answer(made)
    assert wire.writes == [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"]
    await made.send({"type": "http.response.body", "body": b"ab", "more_body": True})
    await made.send({"type": "http.response.body", "body": b"", "more_body": False})
    assert wire.writes[1:] == [b"2\r\nab\r\n", b"0\r\n\r\n"]


async def test_head_alone_is_answered_without_a_body() -> None:
    made, wire = exchange("HEAD")
    await answer(made, b"body", length=4)
    assert b"".join(wire.writes) == b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n"


@pytest.mark.parametrize("status", [204, 304])
async def test_statuses_without_a_body_have_none(status: int) -> None:
    made, wire = exchange()
    await answer(made, b"", status=status)
    assert b"chunked" not in b"".join(wire.writes)
    assert made.answered


async def test_connection_that_shall_end_is_closed() -> None:
    made, wire = exchange(keep_alive=False)
    await answer(made, b"", length=0)
    assert b"\r\nconnection: close\r\n" in wire.writes[0]
    assert wire.closed


@pytest.mark.parametrize("parts", [(b"too long",), (b"x",)])
async def test_body_of_another_length_than_said_is_a_mistake(parts: tuple[bytes, ...]) -> None:
    made, _ = exchange()
    with pytest.raises(RuntimeError, match="as long as"):
        await answer(made, *parts, length=4)


@pytest.mark.parametrize("value", [b"a\r\nset-cookie: b", b"a\nb", b"\0", b"\x7f"])
async def test_header_that_would_be_two_is_refused(value: bytes) -> None:
    made, wire = exchange()
    with pytest.raises(RuntimeError, match="control characters"):
        await made.send({"type": "http.response.start", "status": 200, "headers": [(b"x", value)]})
    assert wire.writes == []


async def test_caller_who_leaves_is_told_of() -> None:
    made, wire = exchange()
    left: list[str] = []
    made.end()
    made.arrived()
    made.watch(lambda: left.append("left"))
    made.lose()
    made.lose()
    assert left == ["left"]
    assert await made.receive() == {"type": "http.disconnect"}
    await answer(made, b"nobody reads", length=12)
    assert wire.writes == []


async def test_caller_who_leaves_with_the_answer_is_not() -> None:
    made, _ = exchange()
    left: list[str] = []
    made.watch(lambda: left.append("left"))
    await answer(made, b"", length=0)
    made.lose()
    assert left == []


async def test_application_that_fails_is_answered_for() -> None:
    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        raise ValueError("a mistake")

    made, wire = exchange()
    await made.run(failing, SCOPE, set())
    assert wire.writes[0].startswith(b"HTTP/1.1 500 ")
    assert wire.closed


async def test_answer_that_breaks_off_closes_the_connection() -> None:
    async def stopping(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise asyncio.CancelledError

    made, wire = exchange()
    await made.run(stopping, SCOPE, set())
    assert len(wire.writes) == 1
    assert wire.closed
