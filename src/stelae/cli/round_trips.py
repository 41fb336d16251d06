"""Where the time of requests over HTTP goes, by both sides' clocks."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle
from typing import TYPE_CHECKING

import msgspec

from stelae.cli import reach
from stelae.cli.closed_loop import Request, batches
from stelae.client import AsyncClient
from stelae.client._transport import LIMITS, security
from stelae.engines.roofline import Part
from stelae.errors import ServerUnreachable, StelaeError

if TYPE_CHECKING:
    import httpx

STAGES = {
    "prepare": "tokenising",
    "queue": "scheduling",
    "run": "model",
    "finish": "putting results together",
}
"""Stages of the header ``Server-Timing``, as people read them."""


class RoundTrips(msgspec.Struct, frozen=True, kw_only=True):
    """What requests came to, and where their time went.

    Attributes:
        server: Its address.
        fingerprint: Identifies what ran there.
        concurrency: Requests under way at once.
        batch_size: Texts in each.
        requests: Requests that were answered.
        failures: Requests that were not, by the error's code.
        tokens_per_s: Tokens answered.
        round_trip_ms: Mean time of a request.
        client_cpu_ms: Mean CPU time of this process for one.
        parts: Where the time of a round trip goes.
    """

    server: str
    fingerprint: str
    concurrency: int
    batch_size: int
    requests: int
    failures: dict[str, int]
    tokens_per_s: float
    round_trip_ms: float
    client_cpu_ms: float
    parts: tuple[Part, ...]


@dataclass(slots=True)
class Tally:
    """Sums over requests, while they run; milliseconds.

    Attributes:
        requests: Those that were answered.
        tokens: Tokens in them.
        round_trips: Their time, by the client's clock.
        stages: Their time by the server's clock, by stage; ``total`` is all of it.
        failures: Those that were not answered, by code.
    """

    requests: int = 0
    tokens: int = 0
    round_trips: float = 0.0
    stages: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    failures: Counter[str] = field(default_factory=Counter)

    async def hear(self, response: httpx.Response) -> None:
        """Note what the server says of an answer."""
        for name, took in stages_of(response.headers.get("server-timing", "")):
            self.stages[name] += took


def stages_of(header: str) -> Iterator[tuple[str, float]]:
    """Names and milliseconds in a header ``Server-Timing``; what has no time is left out."""
    for stage in header.split(","):
        name, *given = (part.strip() for part in stage.split(";"))
        for part in given:
            key, _, value = part.partition("=")
            if key == "dur":
                yield name, float(value)


async def measure(request: Request, server: str) -> RoundTrips:
    """Keep the most requests under way that are asked for, and add up their times.

    Raises:
        ServerUnreachable: No server answers there.
        ModelNotFound: It does not have the model.
    """
    import httpx

    limits, count = httpx.Limits(**LIMITS), max(request.levels)
    async with (
        httpx.AsyncClient(limits=limits, **security(server)) as http,
        AsyncClient(
            server,
            api_key=request.key,
            model=request.model,
            timeout=reach.TIMEOUT,
            retries=reach.PROMPT,
            http_client=http,
        ) as client,
    ):
        first = await client.encode(request.texts[0])
        await load(client, request, count, request.warm_up, Tally())
        tally = Tally()
        http.event_hooks = {"response": [tally.hear]}
        cpu, began = time.process_time(), time.perf_counter()
        await load(client, request, count, request.seconds, tally)
        cpu, took = time.process_time() - cpu, time.perf_counter() - began
    done = max(1, tally.requests)
    return RoundTrips(
        server=server,
        fingerprint=first.fingerprint,
        concurrency=count,
        batch_size=request.batch_size,
        requests=tally.requests,
        failures=dict(tally.failures),
        tokens_per_s=tally.tokens / took,
        round_trip_ms=tally.round_trips / done,
        client_cpu_ms=1e3 * cpu / done,
        parts=parts_of(tally, 1e3 * cpu),
    )


async def load(
    client: AsyncClient, request: Request, count: int, seconds: float, tally: Tally
) -> None:
    """Keep ``count`` requests under way; none begins after ``seconds``, and all are awaited."""
    feed = cycle(batches(request.texts, request.batch_size))
    end = time.perf_counter() + seconds
    await asyncio.gather(*(_loop(client, feed, end, tally) for _ in range(count)))


async def _loop(client: AsyncClient, feed: cycle[list[str]], end: float, tally: Tally) -> None:
    while (began := time.perf_counter()) < end:
        try:
            found = await client.encode(next(feed))
        except ServerUnreachable:
            raise
        except StelaeError as error:
            tally.failures[error.code] += 1
            continue
        tally.requests += 1
        tally.tokens += found.usage.tokens
        tally.round_trips += 1e3 * (time.perf_counter() - began)


def parts_of(tally: Tally, client: float) -> tuple[Part, ...]:
    """Where the time of round trips goes; the shares add up to 1.

    Stages of one request may overlap, and clocks differ a little: what is more than the
    whole that it is part of is scaled to it.

    Args:
        tally: Sums over all requests.
        client: Milliseconds of CPU time that this process took.
    """
    if not tally.round_trips:
        return ()
    whole, total = tally.round_trips, min(tally.stages["total"], tally.round_trips)
    named = sum(tally.stages[stage] for stage in STAGES)
    scale = min(1.0, total / named) if named else 0.0
    stages = {name: scale * tally.stages[stage] for stage, name in STAGES.items()}
    stages["framing, serialising, event loop"] = max(0.0, total - sum(stages.values()))
    outside = whole - total
    client = min(client, outside)
    inner = tuple(Part(name=name, share=took / whole) for name, took in stages.items())
    outer = (
        Part(name="client's processor", share=client / whole),
        Part(name="sockets and waiting for either side", share=(outside - client) / whole),
    )
    return (
        Part(name="in the server", share=total / whole, parts=inner),
        Part(name="outside", share=outside / whole, parts=outer),
    )
