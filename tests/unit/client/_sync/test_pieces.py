# Generated from tests/unit/client/_async/test_pieces.py by tools/unasync.py: do not edit.
from __future__ import annotations

from collections.abc import Iterator

import httpx
import msgspec
import pytest
from unit.client._sync.fix_client import client_of
from unit.client.fix_server import Server, failure

from stelae.errors import EngineFailed, InvalidInput, ProtocolError, ServerUnreachable
from stelae.types import ChatUsage, Delta

ONE, TWO = Delta(text="one"), Delta(text=" two")
LAST = Delta(usage=ChatUsage(prompt_tokens=1))
FAILED = b'data: {"error": {"code": "engine_failed", "message": "it broke", "status": 500}}\n\n'


def event(*pieces: Delta) -> bytes:
    return b"data: " + msgspec.json.encode(list(pieces)) + b"\n\n"


def cut(*parts: bytes) -> Iterator[bytes]:
    """A body whose connection breaks after some parts."""
    for part in parts:
        yield part
    raise httpx.ReadError("connection reset")


def test_pieces_come_one_by_one() -> None:
    reply = httpx.Response(200, content=event(ONE, TWO) + event(LAST))
    with client_of(Server(reply)) as client:
        pieces = [piece for piece in client.stream_chat("hello")]
    assert pieces == [ONE, TWO, LAST]


@pytest.mark.parametrize("fault", [failure("queue_full", 503), httpx.ConnectError("refused")])
def test_nothing_has_come_and_it_is_asked_for_again(
    fault: httpx.Response | Exception,
) -> None:
    server = Server(fault, fault, httpx.Response(200, content=event(ONE) + event(LAST)))
    with client_of(server) as client:
        assert (client.chat("hello")).text == "one"
    assert len(server.requests) == 3


def test_connection_that_breaks_before_the_first_piece_is_tried_again() -> None:
    server = Server(
        httpx.Response(200, content=cut(b": ping\n\n")),
        httpx.Response(200, content=event(ONE) + event(LAST)),
    )
    with client_of(server) as client:
        assert (client.chat("hello")).text == "one"


@pytest.mark.parametrize(
    ("reply", "kind", "message"),
    [
        (httpx.Response(200, content=event(ONE)), ProtocolError, "broke off"),
        (httpx.Response(200, content=event(ONE) + FAILED), EngineFailed, "it broke"),
        (httpx.Response(200, content=event(ONE) + b"data: [\n"), ProtocolError, "cannot be read"),
    ],
    ids=["cut", "failed", "garbled"],
)
def test_answer_that_is_not_whole_is_an_error_and_is_not_asked_for_again(
    reply: httpx.Response, kind: type[Exception], message: str
) -> None:
    server = Server(reply)
    with client_of(server) as client:
        pieces = client.stream_chat("hello")
        assert next(pieces) == ONE
        with pytest.raises(kind, match=message):
            next(pieces)
    assert len(server.requests) == 1


def test_connection_that_breaks_in_the_middle_is_an_error() -> None:
    server = Server(httpx.Response(200, content=cut(event(ONE))))
    with client_of(server) as client:
        with pytest.raises(ServerUnreachable, match="connection reset"):
            client.chat("hello")
    assert len(server.requests) == 1


def test_page_of_something_else_is_no_answer() -> None:
    with client_of(Server(httpx.Response(200, html="<html>hi</html>"))) as client:
        with pytest.raises(ProtocolError, match="broke off"):
            client.chat("hello")


def test_refusal_is_that_of_the_server() -> None:
    with client_of(Server(failure("invalid_input", 400, "too hot"))) as client:
        with pytest.raises(InvalidInput, match="too hot"):
            client.chat("hello")
