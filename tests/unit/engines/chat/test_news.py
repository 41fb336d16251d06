"""When readers are woken: at once for what begins or ends an answer, else now and then."""

from __future__ import annotations

import asyncio
import math

import pytest

from stelae.engines.chat.news import News
from stelae.engines.chat.sequence import AHEAD, Request
from stelae.errors import EngineFailed
from stelae.types import Delta, Finish

NEVER = math.inf


class Woken(Request):
    """Counts how often its reader is woken."""

    def __init__(self) -> None:
        super().__init__([1, 2], 1)
        self.times = 0

    def stir(self) -> None:
        self.times += 1
        super().stir()


async def begun(news: News) -> Woken:
    """A call whose first piece was taken."""
    request = Woken()
    await step(news, request)
    assert request.times == 1
    await request.take()
    request.times = 0
    return request


async def step(news: News, *requests: Woken, long: bool = False) -> None:
    """A step that made a piece of each text, and what is told before the next."""
    for request in requests:
        request.put(Delta(text="a", tokens=[1]))
    news.add(requests)
    await due(news, long=long)


async def due(news: News, *, long: bool = False) -> None:
    news.tell_due(long=long)
    await asyncio.sleep(0)


async def test_the_first_piece_is_told_at_once() -> None:
    news, request = News(NEVER), Woken()
    await step(news, request)
    assert request.times == 1


async def test_pieces_of_a_while_are_told_together() -> None:
    news = News(NEVER)
    request = await begun(news)
    for _ in range(5):
        await step(news, request)
    assert request.times == 0
    news.tell()
    await asyncio.sleep(0)
    assert request.times == 1
    assert len(await request.take()) == 5


async def test_without_a_pace_each_step_is_told() -> None:
    news = News(0.0)
    request = await begun(news)
    for _ in range(5):
        await step(news, request)
    assert request.times == 5


async def test_no_piece_waits_for_a_long_step() -> None:
    news = News(NEVER)
    request = await begun(news)
    await step(news, request, long=True)
    assert request.times == 1


async def test_the_end_is_told_at_once() -> None:
    news = News(NEVER)
    request = await begun(news)
    await step(news, request)
    request.put(Delta(finish=Finish.STOP))
    await due(news)
    assert request.times == 1
    *_, last = await request.take()
    assert last.usage is not None


async def test_an_error_is_told_at_once() -> None:
    news = News(NEVER)
    request = await begun(news)
    await step(news, request)
    request.fail(EngineFailed("it failed"))
    await due(news)
    assert request.times == 1
    assert len(await request.take()) == 1
    with pytest.raises(EngineFailed):
        await request.take()


async def test_many_pieces_do_not_wait_until_the_text_does() -> None:
    news = News(NEVER)
    request = await begun(news)
    for _ in range(AHEAD // 2):
        assert not request.times
        await step(news, request)
    assert request.times == 1
    assert not request.ahead


async def test_who_is_told_takes_the_others_along() -> None:
    news = News(NEVER)
    waiting = await begun(news)
    await step(news, waiting)
    new = Woken()
    await step(news, waiting, new)
    assert (waiting.times, new.times) == (1, 1)


async def test_what_was_told_is_not_told_again() -> None:
    news = News(0.0)
    request = await begun(news)
    await step(news, request)
    await due(news)
    assert request.times == 1
