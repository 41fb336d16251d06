"""This project and Xinference in turn: embeddings, pairs to rank, cold start, sizes."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any
from urllib.request import Request, urlopen

from benchmarks import checkpoint, compare, load, report, servers
from benchmarks.results import Cell

DOCUMENTS = 100
"""In one request of rankings."""

TITLES = {
    "embeddings": "embeddings of mixed texts",
    "ranking": f"pairs, {DOCUMENTS} in a request",
}

REGISTRATIONS: dict[str, dict[str, Any]] = {
    "embedding": {"model_name": "bench", "dimensions": 384},
    "rerank": {"model_name": "ranker", "type": "normal"},
}
"""What Xinference is told of the checkpoints."""


def asked(url: str, body: object) -> bytes:
    """What a server answers."""
    request = Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    with urlopen(request, timeout=300) as answer:
        whole: bytes = answer.read()
        return whole


def launch(url: str, kinds: Sequence[str]) -> None:
    """Register and launch the checkpoints, as Xinference wants it done."""
    folders = {"embedding": checkpoint.folder(), "rerank": checkpoint.ranker()}
    for kind in kinds:
        named = REGISTRATIONS[kind]
        spec = {"model_format": "pytorch", "model_uri": str(folders[kind]), "quantization": "none"}
        told = {"version": 2, "language": ["en"], "max_tokens": 512, "model_specs": [spec]}
        document = {"model": json.dumps(told | named), "persist": False}
        asked(f"{url}/v1/model_registrations/{kind}", document)
        name = named["model_name"]
        wish = {"model_name": name, "model_uid": name, "model_type": kind}
        asked(f"{url}/v1/models", wish | {"model_engine": "sentence_transformers"})


def contenders(dtypes: Sequence[str]) -> list[servers.Contender]:
    """Xinference, and this project with both checkpoints."""
    ranker = f"ranker={checkpoint.ranker()}"
    ours = map(servers.stelae, dtypes)
    return [
        servers.xinference(),
        *(replace(each, preload=(*each.preload, ranker)) for each in ours),
    ]


@contextmanager
def running(
    kinds: Sequence[str], dtypes: Sequence[str] = ("auto",)
) -> Iterator[list[servers.Running]]:
    """All contenders, with the models of these kinds."""
    with servers.running(contenders(dtypes)) as started:
        for server in started:
            if server.contender.name == "xinference":
                launch(_base(server), kinds)
        yield started


def _base(server: servers.Running) -> str:
    return server.url.removesuffix(server.contender.path)


def compared(part: str, kind: str, options: argparse.Namespace) -> None:
    """A table for each number in flight."""
    starting = running([kind], options.dtypes)
    with compare.comparing(f"xinference-{part}", __doc__, options, starting) as comparison:
        for in_flight in options.in_flight:
            cell = Cell(
                name=f"{part}, {in_flight} in flight",
                title=f"{TITLES[part]}, {in_flight} in flight",
                series="in-flight",
                axis="requests in flight",
                at=in_flight,
                in_flight=in_flight,
                per_request=DOCUMENTS if part == "ranking" else 1,
            )
            ranked = part == "ranking"
            ask = _ranking(comparison, cell) if ranked else comparison.texts(cell)
            comparison.measure(cell, ask)


def _ranking(comparison: compare.Comparison, cell: Cell) -> compare.Ask:
    """A query and ``DOCUMENTS`` documents in a request."""
    given = compare.samples(cell)
    options = comparison.options

    def ask(server: servers.Running, turn: int) -> load.Outcome:
        turned = compare.turned(given, turn)
        blocks = [
            turned[start : start + DOCUMENTS]
            for start in range(0, len(turned) - DOCUMENTS, DOCUMENTS)
        ]
        bodies = [
            {"model": "ranker", "query": block[0][:80], "documents": block} for block in blocks
        ]
        todo = load.Load(
            f"{_base(server)}/v1/rerank",
            "ranker",
            (),
            cell.in_flight,
            cell.per_request,
            options.seconds,
            options.warmup,
            bodies=bodies,
            whole=True,
        )
        return load.run(todo, server.process)

    return ask


def cold(rounds: int) -> None:
    """From the start of the server to the first vector."""
    seconds: dict[str, list[float]] = {}
    for _ in range(rounds):
        for contender in (servers.xinference(), servers.stelae("auto")):
            began = time.perf_counter()
            with servers.running([contender]) as (server,):
                if contender.name == "xinference":
                    launch(_base(server), ["embedding"])
                asked(server.url, {"model": "bench", "input": "hello"})
                seconds.setdefault(contender.name, []).append(time.perf_counter() - began)
    rows = [(name, f"{median(s):.1f}") for name, s in seconds.items()]
    report.table(f"start to first vector, {rounds} starts", ("server", "seconds"), rows)


def sizes() -> None:
    """What an installation takes, and what an answer does."""
    rows = [
        (name, f"{_megabytes(folder):,.0f}")
        for name, folder in (
            ("xinference", servers.PEERS / "xinference"),
            ("stelae", servers.PEERS / "stelae"),
        )
        if folder.exists()
    ]
    report.table("environment that embeds", ("server", "MB"), rows)
    with running(["embedding"]) as started:
        body = json.dumps({"model": "bench", "input": "hello", "encoding_format": "base64"})
        rows = []
        for server in started:
            request = Request(server.url, body.encode(), {"content-type": "application/json"})
            with urlopen(request) as answer:  # loopback
                rows.append((server.contender.name, str(len(answer.read()))))
    report.table("answer to the openai client's request", ("server", "bytes"), rows)


def _megabytes(folder: Path) -> float:
    files = (Path(top) / file for top, _, names in os.walk(folder) for file in names)
    return sum(file.lstat().st_size for file in files) / 1e6


def main(arguments: Sequence[str]) -> None:
    """Print what is asked for."""
    parser = compare.parser("xinference", __doc__, (), ("auto", "float32"))
    parts = ["embeddings", "ranking", "cold", "sizes"]
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts)
    parser.add_argument("--in-flight", nargs="+", type=int, default=[1, 16, 64, 256])
    options = parser.parse_args(arguments)
    if not (servers.PEERS / "xinference").exists():
        sys.exit(servers.SETUP)
    if "embeddings" in options.parts:
        compared("embeddings", "embedding", options)
    if "ranking" in options.parts:
        options.in_flight = [n for n in options.in_flight if n <= 16]
        compared("ranking", "rerank", options)
    if "cold" in options.parts:
        cold(options.rounds)
    if "sizes" in options.parts:
        sizes()
