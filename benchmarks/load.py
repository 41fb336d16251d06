"""HTTP load, light on CPU: prebuilt bodies, keep-alive, answers decoded after the timing if ever.

``closed`` and ``open`` loops are those of ``pace``; ``answers`` checks what came back.
"""

from __future__ import annotations

import asyncio
import json
import math
import selectors
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import psutil

from benchmarks import pace, wire
from benchmarks.usage import Usage

KEPT_TEXTS = 512
"""Of about so many texts the answers are kept, to be checked."""


@dataclass
class Load:
    """What to send, and how.

    Attributes:
        url: Where to post.
        model: Name of the model.
        texts: Sent in turn, round and round.
        in_flight: Requests at a time; with a rate, at most.
        per_request: Texts in each.
        seconds: How long is counted.
        warmup: How long is not counted, first.
        base64: Ask for base64 vectors, as the ``openai`` client does.
        bodies: What to send instead, as it is.
        rate: Requests per second that are sent whatever the server does (an open loop); 0: each
            connection asks again once it has its answer (a closed one).
        steady: At equal distances instead of as a Poisson process.
        seed: Of that process.
        whole: Count from the first request to the last answer, for requests that take longer
            than what is counted else; there is no warming up.
        patience: How long is waited for answers in the end.
    """

    url: str
    model: str
    texts: Sequence[str]
    in_flight: int = 16
    per_request: int = 1
    seconds: float = 6.0
    warmup: float = 2.0
    base64: bool = False
    bodies: Sequence[object] = ()
    rate: float = 0.0
    steady: bool = False
    seed: int = 7
    whole: bool = False
    patience: float = 60.0

    def asked(self, number: int) -> Sequence[str]:
        """The texts of the request of a number."""
        first = number % max(1, len(self.texts) // self.per_request) * self.per_request
        return self.texts[first : first + self.per_request]


@dataclass
class Outcome:
    """What came back.

    Attributes:
        seconds: Latency of each counted request; in an open loop from when it was due.
        texts_per_second: Answered texts over the counted time.
        failed: Answers that were not 200, wrong ones, broken connections, and what was given up.
        elapsed: The counted time in seconds.
        cpu: CPU seconds of all processes of the server in that time; NaN if not measured.
        peak_mb: Their peaks of resident memory in that time, added up; NaN if not measured.
        kept: Numbers of some requests, and their answers as they came.
        checked: How many of these were compared with the reference.
        wrong: How many were not the vectors of their texts.
        worst: Smallest cosine between a checked vector and the reference's; NaN if none was.
    """

    seconds: list[float] = field(default_factory=list)
    texts_per_second: float = 0.0
    failed: int = 0
    elapsed: float = math.nan
    cpu: float = math.nan
    peak_mb: float = math.nan
    kept: list[tuple[int, bytes]] = field(default_factory=list)
    checked: int = 0
    wrong: int = 0
    worst: float = math.nan

    def percentile(self, percent: float) -> float:
        """Latency in milliseconds, between neighbours in proportion; infinite without answers."""
        return 1e3 * float(np.percentile(self.seconds, percent)) if self.seconds else math.inf


def run(load: Load, process: psutil.Process | None = None) -> Outcome:
    """Send the load and count the answers.

    Args:
        load: What to send.
        process: First process of the server, if its cost is wanted.
    """
    # select() waits to the microsecond, epoll to the millisecond, which would be latency here.
    loop = partial(asyncio.SelectorEventLoop, selectors.SelectSelector()) if load.rate else None
    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(_run(load, Usage(process)))


async def _run(load: Load, usage: Usage) -> Outcome:
    connections = [wire.Connection(load.url) for _ in range(load.in_flight)]
    await asyncio.gather(*(connection.open() for connection in connections))
    data = [wire.request(load.url, json.dumps(body).encode()) for body in _bodies(load)]
    asks = [partial(_ask, connection, data) for connection in connections]
    sample = max(1, KEPT_TEXTS // load.per_request) if not load.bodies else 0
    clock = asyncio.get_running_loop().time
    start = clock() + (0.0 if load.whole else load.warmup)
    tally = pace.Tally(start, start + load.seconds, bool(load.rate), min(64, sample))
    with suppress(TimeoutError):
        async with asyncio.timeout_at(tally.stop + load.patience):
            await _paced(load, asks, tally, usage)
    tally.given_up(clock())
    await asyncio.gather(*(connection.close() for connection in connections))
    return _outcome(load, tally, usage)


async def _paced(load: Load, asks: Sequence[pace.Ask], tally: pace.Tally, usage: Usage) -> None:
    until, tally.stop = tally.stop, math.inf if load.whole else tally.stop
    if load.whole:
        usage.begin()
        await pace.closed(asks, tally, until)
        usage.end()
        return
    async with asyncio.TaskGroup() as group:
        group.create_task(_metered(usage, tally.start, until))
        if load.rate:
            total = load.warmup + load.seconds
            due = pace.arrivals(load.rate, total, None if load.steady else load.seed)
            first = tally.start - load.warmup
            group.create_task(pace.opened(asks, tally, [first + at for at in due]))
        else:
            group.create_task(pace.closed(asks, tally, until))


async def _metered(usage: Usage, start: float, stop: float) -> None:
    clock = asyncio.get_running_loop().time
    await asyncio.sleep(start - clock())
    usage.begin()
    await asyncio.sleep(stop - clock())
    usage.end()


async def _ask(connection: wire.Connection, data: Sequence[bytes], number: int) -> wire.Answer:
    return await connection.ask(data[number % len(data)])


def _elapsed(load: Load, tally: pace.Tally) -> float:
    """Where the loop is open, or requests are counted whole, it lasts until the last answer."""
    if not tally.answers or not (load.whole or load.rate):
        return load.seconds
    taken = tally.last - tally.start
    return taken if load.whole else max(taken, load.seconds)


def _outcome(load: Load, tally: pace.Tally, usage: Usage) -> Outcome:
    elapsed = _elapsed(load, tally)
    return Outcome(
        seconds=tally.seconds,
        texts_per_second=tally.answers * load.per_request / elapsed,
        failed=tally.failed + tally.unanswered,
        elapsed=elapsed,
        cpu=usage.cpu,
        peak_mb=usage.peak_mb,
        kept=tally.kept,
    )


def _bodies(load: Load) -> Iterator[object]:
    yield from load.bodies
    if load.bodies:
        return
    form = {"encoding_format": "base64"} if load.base64 else {}
    for number in range(len(load.texts) // load.per_request):
        yield {"model": load.model, "input": list(load.asked(number)), **form}
