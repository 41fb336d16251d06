from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.types import Message

from stelae.errors import BodyTooLarge, Cancelled, DeadlineExceeded, InvalidInput, QueueFull
from stelae.server import inbox as module
from stelae.server.inbox import Inbox, Ledger


class Pieces:
    """Receives the given pieces, then waits until the caller is said to have left."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces: Iterator[tuple[int, bytes]] = iter(enumerate(pieces, start=1))
        self._count = len(pieces)
        self.gone = asyncio.Event()

    async def __call__(self) -> Message:
        for index, piece in self._pieces:
            return {"type": "http.request", "body": piece, "more_body": index < self._count}
        await self.gone.wait()
        return {"type": "http.disconnect"}


def ledger(body: int = 10, in_flight: int = 20) -> Ledger:
    return Ledger(body, in_flight)


def length(value: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"content-length", value)]


async def whole(inbox: Inbox) -> bytes:
    body = b""
    while True:
        message = await inbox.receive()
        body += message["body"]
        if not message["more_body"]:
            return body


async def test_pieces_are_counted() -> None:
    inbox = Inbox(Pieces(b"abc", b"", b"de"), [], ledger())
    assert await whole(inbox) == b"abcde"
    assert inbox.taken == 5


async def test_body_of_exactly_the_limit_is_taken() -> None:
    assert await whole(Inbox(Pieces(b"x" * 10), length(b"10"), ledger())) == b"x" * 10


async def test_declared_length_over_the_limit_is_refused_before_anything_is_read() -> None:
    async def never() -> Message:
        raise AssertionError("the body was read")

    with pytest.raises(BodyTooLarge, match="11 bytes"):
        await Inbox(never, length(b"11"), ledger()).receive()


async def test_undeclared_length_over_the_limit_is_refused_when_it_is_reached() -> None:
    inbox = Inbox(Pieces(b"x" * 6, b"x" * 6, b"x"), [], ledger())
    with pytest.raises(BodyTooLarge):
        await whole(inbox)
    assert inbox.taken == 12


@pytest.mark.parametrize("value", [b"-1", b"1e3", b"", b"abc", b"\xef\xbc\x91"])
async def test_length_that_is_no_number_is_refused(value: bytes) -> None:
    with pytest.raises(InvalidInput):
        await Inbox(Pieces(b"x"), length(value), ledger()).receive()


async def test_bodies_of_all_requests_share_a_limit() -> None:
    books = ledger(body=10, in_flight=15)
    first = Inbox(Pieces(b"x" * 10), length(b"10"), books)
    await whole(first)
    with pytest.raises(QueueFull):
        await whole(Inbox(Pieces(b"x" * 10), length(b"10"), books))
    first.close()
    await whole(Inbox(Pieces(b"x" * 10), length(b"10"), books))


async def test_closing_gives_all_bytes_back() -> None:
    changes: list[float] = []
    books = Ledger(10, 20, changes.append)
    inbox = Inbox(Pieces(b"abc", b"de"), [], books)
    await whole(inbox)
    inbox.close()
    assert books.held == 0
    assert changes == [3, 2, -5]


async def test_refused_body_books_nothing() -> None:
    books = ledger()
    inbox = Inbox(Pieces(), length(b"99"), books)
    with pytest.raises(BodyTooLarge):
        await inbox.receive()
    inbox.close()
    assert books.held == 0


async def test_caller_who_leaves_during_the_body_is_noticed() -> None:
    pieces = Pieces()
    pieces.gone.set()
    inbox = Inbox(pieces, [], ledger())
    with pytest.raises(Cancelled):
        await inbox.receive()
    assert inbox.left


async def test_caller_who_leaves_during_the_work_cancels_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "WATCH_AFTER", 0.0)
    pieces = Pieces(b"x")
    inbox = Inbox(pieces, [], ledger())

    async def work() -> None:
        await whole(inbox)
        pieces.gone.set()
        await asyncio.Event().wait()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(work())
    assert inbox.left


async def test_closing_stops_the_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WATCH_AFTER", 0.0)
    inbox = Inbox(Pieces(b"x"), [], ledger())
    await whole(inbox)
    before = asyncio.all_tasks()
    inbox.close()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_body_that_stops_arriving_ends_in_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BODY_SECONDS", 0.01)
    never: Any = Pieces()
    with pytest.raises(DeadlineExceeded, match="nothing of the body arrived"):
        await Inbox(never, [], ledger()).receive()


async def test_what_comes_after_the_body_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BODY_SECONDS", 0.01)
    monkeypatch.setattr(module, "WATCH_AFTER", 60.0)
    pieces = Pieces(b"x")
    inbox = Inbox(pieces, [], ledger())
    await whole(inbox)
    waiting = asyncio.create_task(inbox.receive())
    await asyncio.sleep(0.05)
    pieces.gone.set()
    with pytest.raises(Cancelled):
        await waiting
    inbox.close()
