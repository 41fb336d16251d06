"""Load from the original CLIP client, in its environment, or from ours; prints one line of JSON.

    python clip_load.py URL KIND BATCH DOCUMENTS CLIENTS ITERATIONS [PICTURE...]

As the load script of clip-as-service does it: threads, each with a client of its own, that
encode DOCUMENTS in batches again and again; the first round is not counted. KIND is ``words`` (78
random words, which fill the 77 tokens that the model reads), ``captions`` (8 words) or
``images``.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from pathlib import Path

try:
    from clip_client import Client
    from docarray import Document, DocumentArray
except ImportError:  # in our own environment: the client that is not the slowest part
    from stelae.clip import Client, Document, DocumentArray

WORDS = [
    "cat", "dog", "house", "tree", "river", "mountain", "red", "blue", "small", "large", "photo",
    "drawing", "street", "night", "light", "person", "child", "car", "train", "boat", "flower",
    "table", "window", "garden", "snow", "sand", "cloud", "bridge", "tower", "market",
]  # fmt: skip
WARMUP = 1


def documents(kind: str, size: int, seed: int, pictures: list[bytes]) -> DocumentArray:
    """What is encoded in one call."""
    chance = random.Random(seed)
    if kind == "images":
        return DocumentArray([Document(blob=chance.choice(pictures)) for _ in range(size)])
    count = 78 if kind == "words" else 8
    texts = [" ".join(chance.choices(WORDS, k=count)) for _ in range(size)]
    return DocumentArray([Document(text=text) for text in texts])


def main(
    url: str, kind: str, size: int, each: int, count: int, iterations: int, files: list[str]
) -> None:
    """Keep clients busy; tell documents per second and the time of each request."""
    pictures = [Path(file).read_bytes() for file in files]
    took: list[float] = []
    spans: list[tuple[float, float]] = []
    failed = 0
    ready = threading.Barrier(count)

    def client(number: int) -> None:
        nonlocal failed
        asking = Client(url)
        for turn in range(WARMUP + iterations):
            if turn == WARMUP:
                ready.wait()
                started = time.perf_counter()
            given = documents(kind, each, number * 1000 + turn, pictures)
            before = time.perf_counter()
            try:
                found = asking.encode(given, batch_size=size)
                good = len(found) == each and found.embeddings is not None
            except Exception:
                good = False
            failed += not good
            if turn >= WARMUP:
                took.append(time.perf_counter() - before)
        spans.append((started, time.perf_counter()))

    threads = [threading.Thread(target=client, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = max(end for _, end in spans) - min(begin for begin, _ in spans)
    rate = count * iterations * each / seconds
    print(json.dumps({"rate": rate, "took": took, "failed": failed}))


if __name__ == "__main__":
    where, what, *numbers = sys.argv[1:7]
    main(where, what, *map(int, numbers), sys.argv[7:])
