"""Load from SIE's own client; runs in its environment, prints one line of JSON.

python sie_load.py URL MODEL TEXTS.json IN_FLIGHT SECONDS
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from pathlib import Path

from sie_sdk import SIEAsyncClient

WARMUP = 2.0
"""Seconds that are not counted."""


async def main(url: str, model: str, texts: list[str], in_flight: int, seconds: float) -> None:
    """Keep requests of one text each going; tell how many were answered, and how fast."""
    given = itertools.cycle(texts)
    took: list[float] = []
    failed = 0
    start = time.perf_counter() + WARMUP
    stop = start + seconds

    async def caller(client: SIEAsyncClient) -> None:
        nonlocal failed
        while (sent := time.perf_counter()) < stop:
            try:
                await client.encode(model, {"text": next(given)})
            except Exception:
                failed += 1
                continue
            now = time.perf_counter()
            if start <= now < stop:
                took.append(now - sent)

    async with SIEAsyncClient(url) as client:
        await asyncio.gather(*(caller(client) for _ in range(in_flight)))
    print(json.dumps({"took": took, "failed": failed}))


if __name__ == "__main__":
    where, name, file, count, length = sys.argv[1:]
    asyncio.run(main(where, name, json.loads(Path(file).read_text()), int(count), float(length)))
