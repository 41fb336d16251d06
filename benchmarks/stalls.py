"""How long others wait for an answer while one huge answer is made and sent."""

from __future__ import annotations

import argparse
import http.client
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import msgspec
import numpy as np

from benchmarks import report, servers

FAKE = {"STELAE_MODELS__FAKE__SOURCE": "embedded", "STELAE_MODELS__FAKE__ENGINE": "fake"}
"""A model without arithmetic, so that what is measured is the gateway."""

EVERY = 0.01
"""Seconds between two probes."""


@dataclass(frozen=True)
class Asked:
    """A huge request.

    Attributes:
        name: In the table.
        path: Where it is sent.
        body: Of so many items.
        accept: The form of the answer.
    """

    name: str
    path: str
    body: Callable[[int], object]
    accept: str = "application/json"


def _items(count: int) -> list[dict[str, str]]:
    return [{"text": f"text {i}"} for i in range(count)]


def _score(name: str, count: int) -> dict[str, object]:
    return {"model": "fake", "query": {"text": "text 7"}, name: _items(count)}


ASKED = (
    Asked(
        "encode",
        "/stelae/v1/encode",
        lambda count: {"model": "fake", "items": _items(count)},
    ),
    Asked("score", "/stelae/v1/score", lambda count: _score("documents", count)),
    Asked(
        "OpenAI embeddings",
        "/v1/embeddings",
        lambda count: {"model": "fake", "input": [f"text {i}" for i in range(count)]},
    ),
    Asked("SIE encode", "/v1/encode/fake", lambda count: {"items": _items(count)}),
    Asked(
        "SIE encode, msgpack",
        "/v1/encode/fake",
        lambda count: {"items": _items(count)},
        "application/msgpack",
    ),
    Asked("SIE score", "/v1/score/fake", lambda count: _score("items", count)),
)


def main(arguments: Sequence[str]) -> None:
    """Print how long probes waited at most, per kind of answer."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks stalls", description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="items of a request")
    options = parser.parse_args(arguments)
    os.environ.update(FAKE)
    report.machine("stelae", "msgspec", "orjson")
    with servers.running([replace(servers.stelae("float32"), preload=("fake",))]) as (server,):
        place = urlsplit(server.url).netloc
        rows = [_measured(place, asked, options.count) for asked in ASKED]
    title = f"a probe every {EVERY * 1000:.0f} ms beside one request of {options.count:,} items"
    head = ("answer", "MB", "seconds", "probes", "median ms", "99 % ms", "worst ms")
    report.table(title, head, rows)


def _measured(place: str, asked: Asked, count: int) -> tuple[str, ...]:
    body = msgspec.json.encode(asked.body(count))
    sizes: list[int] = []
    busy = threading.Thread(target=lambda: sizes.append(_ask(place, asked, body)))
    started = time.perf_counter()
    busy.start()
    waits = np.array(_probed(place, busy)) * 1000
    seconds = time.perf_counter() - started
    middle, most = np.percentile(waits, [50, 99])
    return (
        asked.name,
        f"{sizes[0] / 2**20:.0f}",
        f"{seconds:.1f}",
        str(len(waits)),
        *(f"{value:.1f}" for value in (middle, most, waits.max())),
    )


def _ask(place: str, asked: Asked, body: bytes) -> int:
    """Bytes of the answer, which is not kept."""
    connection = http.client.HTTPConnection(place, timeout=600)
    head = {"Content-Type": "application/json", "Accept": asked.accept}
    connection.request("POST", asked.path, body, head)
    answer = connection.getresponse()
    size = sum(map(len, iter(lambda: answer.read(1 << 18), b"")))
    connection.close()
    if answer.status != 200:
        raise SystemExit(f"{asked.name}: {answer.status}")
    return size


def _probed(place: str, busy: threading.Thread) -> list[float]:
    """Seconds that each probe waited, from when it was due, until the thread ends."""
    connection = http.client.HTTPConnection(place, timeout=600)
    waits: list[float] = []
    while busy.is_alive():
        started = time.perf_counter()
        connection.request("GET", "/healthz")
        connection.getresponse().read()
        waits.append(time.perf_counter() - started)
        time.sleep(max(0.0, EVERY - waits[-1]))
    connection.close()
    return waits
