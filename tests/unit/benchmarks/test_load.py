from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from statistics import quantiles

import numpy as np
import orjson
import psutil
import pytest

from benchmarks.answers import Vectors, check
from benchmarks.load import Load, Outcome, run
from benchmarks.usage import Usage

TEXTS = [f"text {number}" for number in range(12)]


def embed(texts: Sequence[str]) -> Vectors:
    """Directions that no two texts share."""
    angles = [2 * np.pi * int(text.split()[1]) / len(TEXTS) for text in texts]
    return np.array([[np.cos(angle), np.sin(angle)] for angle in angles], np.float32)


class Echo(BaseHTTPRequestHandler):
    """Answers with vectors of the texts; refuses any other model than "bench"."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = orjson.loads(self.rfile.read(int(self.headers["Content-Length"])))
        rows = embed(asked["input"]).tolist()
        data = [{"index": place, "embedding": row} for place, row in enumerate(rows)]
        body = orjson.dumps({"data": data})
        self.send_response(200 if asked["model"] == "bench" else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


BUSY_SECONDS = 0.1
"""On a processor, of an answer of ``Busy``."""

TICKS = 0.03
"""Seconds by which processor time may be told too short: it is counted in hundredths."""


class Busy(Echo):
    """Needs the processor for each answer, however long it waits for one."""

    def do_POST(self) -> None:
        until = time.thread_time() + BUSY_SECONDS
        while time.thread_time() < until:
            pass
        super().do_POST()


@contextmanager
def answering(kind: type[Echo]) -> Iterator[str]:
    """A server in this process, and where it is asked."""
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1/embeddings"
        finally:
            server.shutdown()
            serving.join()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with answering(Echo) as url:
        yield url


@pytest.mark.parametrize("rate", [0.0, 200.0], ids=["closed", "open"])
@pytest.mark.parametrize("per_request", [1, 3])
def test_answers_are_counted_and_found_to_be_right(url: str, rate: float, per_request: int) -> None:
    load = Load(url, "bench", TEXTS, 2, per_request, 0.1, 0.0, rate=rate)
    outcome = run(load)
    kept = len(outcome.kept)
    check(load, outcome, embed)
    assert kept > 0
    assert (outcome.checked, outcome.wrong, outcome.failed) == (kept, 0, 0)
    assert outcome.worst == pytest.approx(1.0)
    assert outcome.texts_per_second * outcome.elapsed == pytest.approx(
        len(outcome.seconds) * per_request
    )


def test_answers_to_other_texts_are_failures(url: str) -> None:
    load = Load(url, "bench", TEXTS, 1, 1, 0.1, 0.0)
    outcome = run(load)
    check(load, outcome, lambda texts: -embed(texts))
    assert outcome.wrong == outcome.failed == outcome.checked > 0


def test_refused_requests_are_failures(url: str) -> None:
    outcome = run(Load(url, "other", TEXTS, 1, 1, 0.1, 0.0))
    assert (outcome.seconds, outcome.texts_per_second) == ([], 0.0)
    assert outcome.failed > 0


def test_a_load_of_whole_requests_lasts_until_the_last_answer(url: str) -> None:
    outcome = run(Load(url, "bench", TEXTS, 1, 12, 0.05, whole=True))
    assert outcome.elapsed >= sum(outcome.seconds)
    assert len(outcome.seconds) >= 1


@pytest.mark.parametrize("whole", [True, False], ids=["whole requests", "for a while"])
def test_the_cost_of_the_servers_process_is_measured(whole: bool) -> None:
    """In a while that others have the processors for, nothing may run; requests need theirs."""
    with answering(Busy) as url:
        load = Load(url, "bench", TEXTS, 2, 1, 0.2, 0.0, whole=whole)
        outcome = run(load, psutil.Process(os.getpid()))
    assert outcome.cpu >= 0
    assert outcome.peak_mb > 1
    if whole:
        assert outcome.cpu >= BUSY_SECONDS * len(outcome.seconds) - TICKS > 0


def test_percentiles_are_those_of_the_standard_library() -> None:
    seconds = [random.Random(5).expovariate(1.0) for _ in range(101)]
    found = Outcome(seconds=random.Random(5).sample(seconds, len(seconds)))
    cuts = quantiles(seconds, n=100, method="inclusive")
    for percent in (1, 50, 90, 99):
        assert found.percentile(percent) == pytest.approx(1e3 * cuts[percent - 1])
    assert found.percentile(100) == pytest.approx(1e3 * max(seconds))


def test_without_answers_latency_is_infinite() -> None:
    assert Outcome().percentile(50) == float("inf")


def test_processor_time_of_children_that_have_ended_counts() -> None:
    usage = Usage(psutil.Process(os.getpid()))
    usage.begin()
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    subprocess.run([sys.executable, "-S", "-c", burn], check=True)
    usage.end()
    assert usage.cpu >= 0.28  # ticks have a hundredth of a second


def test_processor_time_from_before_does_not_count() -> None:
    until = time.process_time() + 0.3
    while time.process_time() < until:
        pass
    usage = Usage(psutil.Process(os.getpid()))
    usage.begin()
    usage.end()
    assert usage.cpu < 0.3
