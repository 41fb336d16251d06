"""Closed-loop HTTP load, light on CPU: prebuilt bodies, keep-alive, answers not decoded."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from statistics import quantiles
from urllib.parse import urlsplit


@dataclass
class Load:
    """What to send, and how.

    Attributes:
        url: Where to post.
        model: Name of the model.
        texts: Sent in turn, round and round.
        in_flight: Requests at a time.
        per_request: Texts in each.
        seconds: How long is counted.
        warmup: How long is not counted, first.
        base64: Ask for base64 vectors, as the ``openai`` client does.
        bodies: What to send instead, as it is.
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


@dataclass
class Outcome:
    """What came back.

    Attributes:
        seconds: Latency of each counted request.
        texts_per_second: Answered texts over the counted time; when none was, those of one
            request, which is too many.
        failed: Answers that were not 200, and broken connections.
    """

    seconds: list[float] = field(default_factory=list)
    texts_per_second: float = 0.0
    failed: int = 0

    def percentile(self, percent: int) -> float:
        """Latency in milliseconds; infinite when hardly anything was answered in time."""
        if len(self.seconds) < 2:
            return float("inf")
        return 1e3 * quantiles(self.seconds, n=100)[percent - 1]


def run(load: Load) -> Outcome:
    """Keep ``in_flight`` requests going and count the answers."""
    return asyncio.run(_run(load))


async def _run(load: Load) -> Outcome:
    requests = cycle(list(_requests(load)))
    outcome = Outcome()
    start = time.perf_counter() + load.warmup
    stop = start + load.seconds
    async with asyncio.TaskGroup() as group:
        for _ in range(load.in_flight):
            group.create_task(_caller(load, requests, outcome, start, stop))
    outcome.texts_per_second = max(1, len(outcome.seconds)) * load.per_request / load.seconds
    return outcome


async def _caller(
    load: Load, requests: Iterator[bytes], outcome: Outcome, start: float, stop: float
) -> None:
    where = urlsplit(load.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port, limit=1 << 24)
    while (sent := time.perf_counter()) < stop:
        writer.write(next(requests))
        status = await _answer(reader)
        now = time.perf_counter()
        if status != 200:
            outcome.failed += 1
        elif start <= now < stop:
            outcome.seconds.append(now - sent)
    writer.close()
    await writer.wait_closed()


async def _answer(reader: asyncio.StreamReader) -> int:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
    await reader.readexactly(length)
    return int(head[9:12])


def _requests(load: Load) -> Iterator[bytes]:
    where = urlsplit(load.url)
    for body in load.bodies or _embedding(load):
        data = json.dumps(body).encode()
        yield (
            f"POST {where.path} HTTP/1.1\r\nHost: {where.netloc}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
        ).encode() + data


def _embedding(load: Load) -> Iterator[object]:
    form = {"encoding_format": "base64"} if load.base64 else {}
    for first in range(0, len(load.texts) - load.per_request + 1, load.per_request):
        texts = load.texts[first : first + load.per_request]
        yield {"model": load.model, "input": texts, **form}
