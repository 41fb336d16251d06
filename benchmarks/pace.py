"""When requests are sent, and which of their answers count.

In a *closed* loop each connection asks again once it has its answer: a slow server is asked less.
In an *open* loop requests are due at times that no server can put off. Their latency counts from
when they were due, not from when a connection was free for them: that a server keeps requests
waiting is its own fault ("coordinated omission" leaves it out).

All times are those of the running event loop.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

from benchmarks.wire import Answer

Ask = Callable[[int], Awaitable[Answer]]
"""Sends the request of a number over a connection of its own."""


@dataclass
class Tally:
    """What was asked and answered.

    Attributes:
        start: From when on requests count.
        stop: Until when, exclusive.
        intended: Whether those count that were due then, or those that were answered then.
        sample: How many answers are kept; each is as likely as any other.
        seconds: Latency of each counted request, in the order of the answers.
        answers: How many of these came.
        last: When the last of them came.
        failed: Answers that were not 200, and broken connections, counted or not.
        unanswered: Requests given up; those that count have the time they waited as latency.
        kept: Numbers of requests, and their answers.
    """

    start: float
    stop: float
    intended: bool = False
    sample: int = 0
    seconds: list[float] = field(default_factory=list)
    answers: int = 0
    last: float = -math.inf
    failed: int = 0
    unanswered: int = 0
    kept: list[tuple[int, bytes]] = field(default_factory=list)
    _open: dict[int, float] = field(default_factory=dict)
    _chance: random.Random = field(default_factory=lambda: random.Random(7))

    def asked(self, number: int, since: float) -> None:
        """A request whose latency counts from then."""
        self._open[number] = since

    def answered(self, number: int, now: float, answer: Answer) -> None:
        """The answer to it."""
        since = self._open.pop(number)
        if answer.status != 200:
            self.failed += 1
        elif self._counts(since, now):
            self.seconds.append(now - since)
            self.answers += 1
            self.last = max(self.last, now)
            self._keep(number, answer.body)

    def given_up(self, now: float) -> None:
        """No more answers are waited for."""
        self.unanswered += len(self._open)
        self.seconds += [now - since for since in self._open.values() if self._counts(since, now)]
        self._open.clear()

    def _counts(self, since: float, now: float) -> bool:
        return self.start <= (since if self.intended else now) < self.stop

    def _keep(self, number: int, body: bytes) -> None:
        """Vitter's algorithm R: a uniform sample of answers whose number is not known yet."""
        if len(self.kept) < self.sample:
            self.kept.append((number, body))
        elif self.sample and (place := self._chance.randrange(self.answers)) < self.sample:
            self.kept[place] = (number, body)


def arrivals(rate: float, seconds: float, seed: int | None = None) -> list[float]:
    """When requests are due, in seconds from the first moment.

    Args:
        rate: Requests per second.
        seconds: All are due before.
        seed: Of a Poisson process, as many independent callers make it; None: at equal
            distances.
    """
    if seed is None:
        return [number / rate for number in range(math.ceil(rate * seconds))]
    chance = random.Random(seed)
    due: list[float] = []
    at = chance.expovariate(rate)
    while at < seconds:
        due.append(at)
        at += chance.expovariate(rate)
    return due


async def closed(asks: Sequence[Ask], tally: Tally, until: float) -> None:
    """Ask on every connection, again and again; send nothing from ``until`` on."""
    numbers = count()
    clock = asyncio.get_running_loop().time

    async def again(ask: Ask) -> None:
        while (sent := clock()) < until:
            number = next(numbers)
            tally.asked(number, sent)
            answer = await ask(number)
            tally.answered(number, clock(), answer)

    async with asyncio.TaskGroup() as group:
        for ask in asks:
            group.create_task(again(ask))


async def opened(asks: Sequence[Ask], tally: Tally, due: Sequence[float]) -> None:
    """Ask at the given times; where no connection is free, a request waits for one."""
    clock = asyncio.get_running_loop().time
    waiting: asyncio.Queue[int | None] = asyncio.Queue()

    async def serve(ask: Ask) -> None:
        while (number := await waiting.get()) is not None:
            answer = await ask(number)
            tally.answered(number, clock(), answer)

    async with asyncio.TaskGroup() as group:
        for ask in asks:
            group.create_task(serve(ask))
        for number, at in enumerate(due):
            await asyncio.sleep(max(0.0, at - clock()))
            tally.asked(number, at)
            waiting.put_nowait(number)
        for _ in asks:
            waiting.put_nowait(None)
