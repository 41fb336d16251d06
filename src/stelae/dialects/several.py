"""Several texts asked for in one request: their answers as one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from msgspec.structs import replace
from starlette.requests import Request

from stelae.dialects.ask import chat
from stelae.dialects.base import Rooms, record_of
from stelae.types import ChatCall, ChatUsage, Delta

AT_ONCE = 8
"""Answers of one request under way at once."""


async def chats(
    request: Request, rooms: Rooms, calls: Sequence[ChatCall]
) -> AsyncGenerator[list[Delta]]:
    """The answers of several calls as one: its texts are those of all calls, in order.

    Raises:
        StelaeError: One of them failed; the others end.
    """
    used = ChatUsage()
    starts = [sum(call.n for call in calls[:place]) for place in range(len(calls))]
    async with aclosing(_merged([chat(request, rooms, call) for call in calls])) as made:
        async for place, pieces in made:
            if (more := pieces[-1].usage) is not None:
                used = summed(used, more)
                pieces = [*pieces[:-1], replace(pieces[-1], usage=None)]
            yield [replace(piece, index=piece.index + starts[place]) for piece in pieces]
    record = record_of(request)
    if record.served is not None:
        count = sum(call.n for call in calls)
        record.served = replace(record.served, tokens=used.total_tokens, items=count)
    yield [Delta(usage=used)]


def summed(one: ChatUsage, other: ChatUsage) -> ChatUsage:
    """Tokens of two answers together."""
    names = ChatUsage.__struct_fields__
    return ChatUsage(**{name: getattr(one, name) + getattr(other, name) for name in names})


async def _merged(
    streams: Sequence[AsyncGenerator[list[Delta]]],
) -> AsyncGenerator[tuple[int, list[Delta]]]:
    """The parts of several streams as they come, each with the place of its stream."""
    waiting = list(enumerate(streams))[::-1]
    steps: dict[asyncio.Future[list[Delta]], int] = {}
    try:
        while waiting or steps:
            while waiting and len(steps) < AT_ONCE:
                place, stream = waiting.pop()
                steps[asyncio.ensure_future(anext(stream))] = place
            done, _ = await asyncio.wait(steps, return_when=asyncio.FIRST_COMPLETED)
            for step in done:
                place = steps.pop(step)
                try:
                    part = step.result()
                except StopAsyncIteration:
                    continue
                yield place, part
                steps[asyncio.ensure_future(anext(streams[place]))] = place
    finally:
        for step in steps:
            step.cancel()
        await asyncio.gather(*steps, return_exceptions=True)
        for stream in streams:
            await stream.aclose()
