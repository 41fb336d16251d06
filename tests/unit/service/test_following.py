from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from stelae.errors import Conflict, InvalidInput
from stelae.service.following import Ending, Following, Name

NAME = Name("mine", "key")


class Halves:
    """Two parts, the second of which comes when it is let; whether it was closed is noted."""

    def __init__(self) -> None:
        self.let = asyncio.Event()
        self.closed = False

    async def parts(self) -> AsyncGenerator[float]:
        try:
            yield 0.5
            await self.let.wait()
            yield 0.75
        finally:
            self.closed = True


def followed(following: Following, halves: Halves, name: Name = NAME) -> AsyncGenerator[float]:
    return following.through(halves.parts(), name, "m", lambda part: part)


async def test_call_is_followed_by_its_name_until_it_is_over() -> None:
    following, halves = Following(), Halves()
    stream = followed(following, halves)
    with pytest.raises(InvalidInput, match="'mine'"):
        following.progress(NAME)
    assert await anext(stream) == 0.5
    assert following.progress(NAME) == 0.5
    halves.let.set()
    assert [part async for part in stream] == [0.75]
    assert following.progress(NAME) == 1.0
    assert following.end(NAME, "m") is Ending.OVER


async def test_ended_call_raises_for_who_waits_and_is_closed() -> None:
    following, halves = Following(), Halves()
    stream = followed(following, halves)
    await anext(stream)
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    assert following.end(NAME, "m") is Ending.DONE
    with pytest.raises(Conflict, match="ended by its caller"):
        await waiting
    assert halves.closed


async def test_call_is_ended_while_nobody_waits() -> None:
    following, halves = Following(), Halves()
    stream = followed(following, halves)
    await anext(stream)
    following.end(NAME, "m")
    with pytest.raises(Conflict):
        await anext(stream)
    assert halves.closed


async def test_caller_who_leaves_is_no_ended_call() -> None:
    following, halves = Following(), Halves()
    stream = followed(following, halves)
    await anext(stream)
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert halves.closed


async def test_nobody_else_follows_or_ends_a_call() -> None:
    following, halves = Following(), Halves()
    stream = followed(following, halves)
    await anext(stream)
    other = Name("mine", "another")
    assert following.end(other, "m") is Ending.UNKNOWN
    assert following.end(NAME, "another model") is Ending.UNKNOWN
    with pytest.raises(InvalidInput):
        following.progress(other)
    await stream.aclose()


async def test_calls_of_one_name_end_together() -> None:
    following = Following()
    streams = [followed(following, Halves()) for _ in range(2)]
    for stream in streams:
        await anext(stream)
    following.end(NAME, "m")
    for stream in streams:
        with pytest.raises(Conflict):
            await anext(stream)


async def test_only_the_latest_calls_are_remembered() -> None:
    following = Following(most=1)
    for given in ("a", "b"):
        halves = Halves()
        halves.let.set()
        assert [part async for part in followed(following, halves, Name(given, ""))]
    assert following.progress(Name("b", "")) == 1.0
    with pytest.raises(InvalidInput):
        following.progress(Name("a", ""))
