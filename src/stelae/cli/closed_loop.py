"""``stelae bench``: as many requests under way as asked for, and what came of them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from stelae.cli import reach, samples
from stelae.cli.output import Output
from stelae.client import AsyncClient
from stelae.errors import InvalidInput, ServerUnreachable, StelaeError

TEXTS = 512
"""Built-in texts that are sent in turn."""

COLUMNS = (
    "at once",
    "requests/s",
    "texts/s",
    "tokens/s",
    "p50 ms",
    "p90 ms",
    "p99 ms",
    "max ms",
    "failed",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The command line of ``stelae bench``."""

    model: str
    server: str | None
    key: str | None
    texts: Sequence[str]
    levels: Sequence[int]
    batch_size: int
    seconds: float
    warm_up: float


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What one level came to; times in milliseconds, rates per second."""

    concurrency: int
    seconds: float
    requests: int
    requests_per_s: float
    texts_per_s: float
    tokens_per_s: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float
    failures: dict[str, int]


@dataclass(slots=True)
class Tally:
    """What requests came to, while they run."""

    milliseconds: list[float] = field(default_factory=list)
    texts: int = 0
    tokens: int = 0
    failures: Counter[str] = field(default_factory=Counter)


def texts(file: Path | None, lengths: samples.Lengths) -> list[str]:
    """The texts to send.

    Raises:
        InvalidInput: The file has none.
    """
    if file is None:
        return samples.plain(TEXTS, lengths)
    found = [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    if not found:
        raise InvalidInput(f"--texts {file}: no line has a text", param="texts")
    return found


def levels(text: str) -> list[int]:
    """Counts from a list such as ``1,16``.

    Raises:
        InvalidInput: It is not one.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise InvalidInput(
            f"--concurrency {text!r}: give counts above 0, such as 1,16", param="concurrency"
        )
    return [int(part) for part in parts]


def run(request: Request, out: Output) -> bool:
    """Measure every level and print the figures.

    Returns:
        Whether any request was answered.

    Raises:
        ServerUnreachable: No server answers there.
    """
    about, figures = asyncio.run(_run(request, out))
    if out.json:
        out.document({**about, "levels": [msgspec.to_builtins(f) for f in figures]})
    else:
        out.table([row(f) for f in figures], COLUMNS)
        for f in figures:
            for code, count in f.failures.items():
                out.warn(f"{count:,} requests failed at {f.concurrency} at once: {code}")
    return any(f.requests for f in figures)


async def _run(request: Request, out: Output) -> tuple[dict[str, Any], list[Figures]]:
    async with AsyncClient(
        request.server or reach.DEFAULT_SERVER,
        api_key=request.key,
        model=request.model,
        timeout=600.0,
        retries=reach.PROMPT,
    ) as client:
        first = await client.encode(request.texts[0])
        info = await client.model()
        out.note(f"{info.name}, {info.engine} {info.dtype}, {len(request.texts)} texts in turn")
        if request.warm_up:
            await level(client, request, max(request.levels), request.warm_up)
        figures = []
        for count in request.levels:
            out.note(f"{count} at once for {request.seconds:g} s …")
            figures.append(await level(client, request, count, request.seconds))
    about = {
        "server": request.server or reach.DEFAULT_SERVER,
        "model": info.name,
        "engine": info.engine,
        "dtype": info.dtype,
        "fingerprint": first.fingerprint,
        "batch_size": request.batch_size,
    }
    return about, figures


async def level(client: AsyncClient, request: Request, count: int, seconds: float) -> Figures:
    """Keep ``count`` requests under way for some time; what ends later is not counted."""
    tally = Tally()
    began = time.perf_counter()
    feed = cycle(batches(request.texts, request.batch_size))
    await asyncio.gather(*(_loop(client, feed, tally, began + seconds) for _ in range(count)))
    return figures_of(tally, count, seconds)


def batches(texts: Sequence[str], size: int) -> list[list[str]]:
    """Texts in groups of ``size``; the last one is filled up from the beginning."""
    count = -(-len(texts) // size)
    endless = cycle(texts)
    return [[next(endless) for _ in range(size)] for _ in range(count)]


async def _loop(client: AsyncClient, feed: cycle[list[str]], tally: Tally, end: float) -> None:
    while (began := time.perf_counter()) < end:
        batch = next(feed)
        try:
            found = await client.encode(batch)
        except ServerUnreachable:
            raise
        except StelaeError as error:
            tally.failures[error.code] += 1
            continue
        now = time.perf_counter()
        if now <= end:
            tally.milliseconds.append((now - began) * 1000)
            tally.texts += len(batch)
            tally.tokens += found.usage.tokens


def figures_of(tally: Tally, count: int, seconds: float) -> Figures:
    """Rates and percentiles."""
    taken = np.array(tally.milliseconds or [0.0])
    p50, p90, p99 = (float(value) for value in np.percentile(taken, [50, 90, 99]))
    return Figures(
        concurrency=count,
        seconds=seconds,
        requests=len(tally.milliseconds),
        requests_per_s=round(len(tally.milliseconds) / seconds, 2),
        texts_per_s=round(tally.texts / seconds, 2),
        tokens_per_s=round(tally.tokens / seconds, 1),
        p50_ms=round(p50, 3),
        p90_ms=round(p90, 3),
        p99_ms=round(p99, 3),
        max_ms=round(float(taken.max()), 3),
        failures=dict(tally.failures),
    )


def row(figures: Figures) -> dict[str, Any]:
    """A level as people read it."""
    values = (
        figures.concurrency,
        figures.requests_per_s,
        figures.texts_per_s,
        figures.tokens_per_s,
        figures.p50_ms,
        figures.p90_ms,
        figures.p99_ms,
        figures.max_ms,
        sum(figures.failures.values()),
    )
    return dict(zip(COLUMNS, values, strict=True))
