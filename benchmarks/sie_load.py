"""Load from SIE's own client; runs in its environment, prints one line of JSON.

python sie_load.py URL MODEL TEXTS.json IN_FLIGHT SECONDS WARMUP
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from pathlib import Path
from typing import Any

from sie_sdk import SIEAsyncClient

KEPT = 32
"""Vectors that are told, with the numbers of their texts."""


async def main(
    url: str, model: str, texts: list[str], in_flight: int, seconds: float, warmup: float
) -> None:
    """Keep requests of one text each going; tell how many were answered, and how fast."""
    given = itertools.cycle(enumerate(texts))
    took: list[float] = []
    kept: list[tuple[int, Any]] = []
    answered = failed = 0
    start = time.perf_counter() + warmup
    stop = start + seconds

    async def caller(client: SIEAsyncClient) -> None:
        nonlocal answered, failed
        while (sent := time.perf_counter()) < stop:
            number, text = next(given)
            try:
                found = await client.encode(model, {"text": text})
            except Exception:
                failed += 1
                continue
            now = time.perf_counter()
            answered += 1
            if start <= now < stop:
                took.append(now - sent)
                if len(kept) < KEPT:
                    kept.append((number, found["dense"]))

    async with SIEAsyncClient(url) as client:
        await asyncio.gather(*(caller(client) for _ in range(in_flight)))
    told = [(number, vector.tolist()) for number, vector in kept]
    print(json.dumps({"took": took, "failed": failed, "answered": answered, "kept": told}))


if __name__ == "__main__":
    where, name, file, count, *times = sys.argv[1:]
    given = json.loads(Path(file).read_text())
    asyncio.run(main(where, name, given, int(count), *map(float, times)))
