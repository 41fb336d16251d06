"""Documents ranked by a query: pairs/s against ``CrossEncoder.predict`` and infinity's route."""

from __future__ import annotations

import argparse
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any, Protocol
from urllib.parse import urlsplit

import psutil

from benchmarks import checkpoint, report, servers
from benchmarks.texts import texts
from benchmarks.usage import Usage

LIBRARIES = {"sentence-transformers": "CrossEncoder", "stelae": "stelae"}
"""What ranks in process, and its name in the table."""

TOLERANCES = {"float32": 1e-4, "bfloat16": 1e-2}
"""How far scores from 0 to 1 may be from the library's in fp32."""


class Ranker(Protocol):
    """Whoever ranks.

    Attributes:
        name: In the table.
        process: All of it, or the first of it.
    """

    name: str
    process: psutil.Process

    def rank(self, query: str, documents: Sequence[str]) -> list[float]:
        """Scores from 0 to 1, in the order of the documents."""
        ...


class Inside:
    """A library in a process of its own, told what to do through a pipe.

    Args:
        name: In the table.
        child: Runs ``benchmarks.rank_inside``.
    """

    def __init__(self, name: str, child: subprocess.Popen[str]) -> None:
        self.name, self._child = name, child
        self.process = psutil.Process(child.pid)
        self._line()

    def rank(self, query: str, documents: Sequence[str]) -> list[float]:
        """Ask through the pipe."""
        pipe: Any = self._child.stdin
        pipe.write(json.dumps({"query": query, "documents": documents}) + "\n")
        pipe.flush()
        scores: list[float] = json.loads(self._line())
        return scores

    def _line(self) -> str:
        pipe: Any = self._child.stdout
        line: str = pipe.readline()
        return line or sys.exit(f"{self.name} ended; what it said is above")


class Outside:
    """A server, asked over a connection for each request: some close those that rest for long.

    Args:
        server: It runs.
        model: Its name there.
    """

    def __init__(self, server: servers.Running, model: str) -> None:
        self.name, self.process = f"{server.contender.name}, HTTP", server.process
        where = urlsplit(server.url)
        self._path, self._model = where.path, model
        self._http = http.client.HTTPConnection(where.netloc, timeout=600)

    def rank(self, query: str, documents: Sequence[str]) -> list[float]:
        """Ask over HTTP."""
        body = {"model": self._model, "query": query, "documents": documents}
        head = {"Content-Type": "application/json"}
        self._http.request("POST", self._path, json.dumps(body), head)
        answer = self._http.getresponse()
        told = json.loads(answer.read())
        self._http.close()
        if answer.status != 200:
            sys.exit(f"{self.name} answers {answer.status}: {told}")
        return in_order(told["results"])


def in_order(results: Sequence[dict[str, Any]]) -> list[float]:
    """Scores by the place of their document in the request; they come best first."""
    by_place = {result["index"]: float(result["relevance_score"]) for result in results}
    return [by_place[place] for place in range(len(by_place))]


@dataclass
class Found:
    """What one contender came to, a number for each counted request.

    Attributes:
        seconds: Wall time.
        cpu: CPU seconds of the whole tree.
        peak_mb: Most memory of the whole tree.
        scores: Of all documents, one request after the other.
    """

    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    peak_mb: float = 0.0
    scores: list[float] = field(default_factory=list)

    def add(self, seconds: float, usage: Usage, scores: Sequence[float]) -> None:
        """Count a request."""
        self.seconds.append(seconds)
        self.cpu.append(usage.cpu)
        self.peak_mb = max(self.peak_mb, usage.peak_mb)
        self.scores += scores


def ask(ranker: Ranker, query: str, documents: Sequence[str], found: Found) -> None:
    """One request, timed and counted."""
    usage = Usage(ranker.process)
    usage.begin()
    started = time.perf_counter()
    scores = ranker.rank(query, documents)
    seconds = time.perf_counter() - started
    usage.end()
    found.add(seconds, usage, scores)


def distance(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Largest difference between two lists of scores."""
    return max(abs(a - b) for a, b in zip(ours, theirs, strict=True))


BASES = {
    "CrossEncoder float32": "x CrossEncoder",
    "infinity as shipped, HTTP": "x infinity",
    "infinity bfloat16, HTTP": "x its bf16",
}
"""Whom the others are compared with, and the column that tells it."""

COLUMNS = ("ranker", "pairs/s", "spread", "ms", "per CPU s", "MB", "off by")


def table(found: dict[str, Found], documents: int) -> tuple[list[str], list[list[str]]]:
    """Columns and rows; a ratio above 1 is better than the base, the median round by round."""
    first = next(iter(found.values()))
    bases = {column: found[name] for name, column in BASES.items() if name in found}
    rows = [
        _row(name, each, first, documents)
        + [f"{report.ratio(base.seconds, each.seconds):.2f}" for base in bases.values()]
        for name, each in found.items()
    ]
    return [*COLUMNS, *bases], rows


def _row(name: str, found: Found, base: Found, documents: int) -> list[str]:
    rates = [documents / spent for spent in found.seconds]
    return [
        name,
        f"{median(rates):,.0f}",
        f"{min(rates):,.0f}-{max(rates):,.0f}",
        f"{1e3 * median(found.seconds):,.0f}",
        f"{documents / median(found.cpu):,.0f}",
        f"{found.peak_mb:,.0f}",
        f"{distance(found.scores, base.scores):.0e}",
    ]


@contextmanager
def inside(library: str, dtype: str, folder: str) -> Iterator[Inside]:
    """A library in its process, ready."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.rank_inside"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([*command, library, dtype, folder], **pipes) as child:
        try:
            yield Inside(f"{LIBRARIES[library]} {dtype}", child)
        finally:
            child.terminate()


def served(folder: str, peers: bool) -> list[servers.Contender]:
    """Servers with the ranker."""
    ours = [
        replace(
            servers.stelae(dtype),
            path="/v1/rerank",
            preload=(f"bench={folder}",),
        )
        for dtype in ("float32", "bfloat16")
    ]
    theirs = [
        replace(servers.infinity(dtype, folder), path="/rerank")
        for dtype in ("as shipped", "bfloat16")
    ]
    return [*(theirs if peers else ()), *ours]


@contextmanager
def rankers(layers: int, peers: bool) -> Iterator[list[Ranker]]:
    """Everybody, ready; the first is what the others are compared with."""
    folder = str(checkpoint.ranker(layers))
    kinds = [(library, dtype) for library in LIBRARIES for dtype in ("float32", "bfloat16")]
    with ExitStack() as stack:
        within = [stack.enter_context(inside(*kind, folder)) for kind in kinds]
        running = stack.enter_context(servers.running(served(folder, peers)))
        yield [*within, *(Outside(server, "bench") for server in running)]


def main(arguments: Sequence[str]) -> None:
    """Rank the same documents everywhere, in turn, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks rerank", description=__doc__)
    parser.add_argument("--documents", type=int, default=100, help="in a request")
    parser.add_argument("--layers", type=int, default=6, choices=[6, 12], help="of the MiniLM")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--out", type=Path, help="a file of JSON, with every round and score")
    options = parser.parse_args(arguments)
    report.machine("torch", "sentence-transformers", "stelae")
    count = options.documents
    samples = texts("mixed", count * (options.rounds + 1), checkpoint.tokenizer())
    queries = texts("short", options.rounds + 1, checkpoint.tokenizer(), seed=11)
    with rankers(options.layers, not options.no_peers) as contenders:
        found = {ranker.name: Found() for ranker in contenders}
        for turn, query in enumerate(queries):
            documents = samples[turn * count : (turn + 1) * count]
            for ranker in contenders:
                ask(ranker, query, documents, found[ranker.name] if turn else Found())
    title = f"a query and {count} documents of mixed length, MiniLM-L{options.layers}"
    report.table(title, *table(found, count))
    if options.out:
        options.out.write_text(json.dumps({name: asdict(each) for name, each in found.items()}))
    _judge(found, next(iter(found.values())))


def _judge(found: dict[str, Found], base: Found) -> None:
    """Fail where our scores are not the library's."""
    for name, each in found.items():
        dtype = next((d for d in TOLERANCES if d in name), "float32")
        off = distance(each.scores, base.scores)
        if name.startswith("stelae") and off > TOLERANCES[dtype]:
            sys.exit(f"{name}: scores are off by {off:.1e}, more than {TOLERANCES[dtype]:g}")
