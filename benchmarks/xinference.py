"""This project and Xinference in turn: embeddings, pairs to rank, cold start, sizes."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any
from urllib.request import Request, urlopen

from benchmarks import checkpoint, load, report, servers
from benchmarks.texts import texts

DOCUMENTS = 100
"""In one request of rankings."""

REGISTRATIONS: dict[str, dict[str, Any]] = {
    "embedding": {"model_name": "bench", "dimensions": 384},
    "rerank": {"model_name": "ranker", "type": "normal"},
}
"""What Xinference is told of the checkpoints."""


@dataclass(frozen=True)
class Outcome:
    """Requests answered within a time.

    Attributes:
        rate: Texts or pairs per second.
        middle: Median latency in milliseconds.
        failed: Requests that were.
        memory: Megabytes of all its processes afterwards.
    """

    rate: float
    middle: float
    failed: int
    memory: float


def ranker() -> Path:
    """A cross-encoder with the embedded model's blocks and a head of random weights."""
    import torch
    from transformers import AutoModelForSequenceClassification

    folder = checkpoint.CACHE / "minilm-ranker"
    if not (folder / "model.safetensors").exists():
        torch.manual_seed(0)
        model = AutoModelForSequenceClassification.from_pretrained(
            checkpoint.folder(), num_labels=1
        )
        model.save_pretrained(folder)
        for file in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
            (folder / file).write_bytes((checkpoint.folder() / file).read_bytes())
    return folder


def asked(url: str, body: object) -> bytes:
    """What a server answers."""
    request = Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    with urlopen(request, timeout=300) as answer:
        whole: bytes = answer.read()
        return whole


def launch(url: str, kinds: Sequence[str]) -> None:
    """Register and launch the checkpoints, as Xinference wants it done."""
    folders = {"embedding": checkpoint.folder(), "rerank": ranker()}
    for kind in kinds:
        named = REGISTRATIONS[kind]
        spec = {"model_format": "pytorch", "model_uri": str(folders[kind]), "quantization": "none"}
        told = {"version": 2, "language": ["en"], "max_tokens": 512, "model_specs": [spec]}
        document = {"model": json.dumps(told | named), "persist": False}
        asked(f"{url}/v1/model_registrations/{kind}", document)
        name = named["model_name"]
        wish = {"model_name": name, "model_uid": name, "model_type": kind}
        asked(f"{url}/v1/models", wish | {"model_engine": "sentence_transformers"})


def contenders() -> list[servers.Contender]:
    """Xinference, and this project with both checkpoints."""
    ours = servers.stelae("auto")
    return [
        servers.xinference(),
        replace(ours, preload=(*ours.preload, f"ranker={ranker()}")),
        replace(
            servers.stelae("float32"),
            preload=(*ours.preload, f"ranker={ranker()}"),
        ),
    ]


@contextmanager
def running(kinds: Sequence[str]) -> Iterator[dict[str, servers.Running]]:
    """All contenders, with the models of these kinds."""
    with ExitStack() as stack:
        started = stack.enter_context(servers.running(contenders()))
        for server in started:
            if server.contender.name == "xinference":
                launch(_base(server), kinds)
        yield {server.contender.name: server for server in started}


def _base(server: servers.Running) -> str:
    return server.url.removesuffix(server.contender.path)


def embeddings(server: servers.Running, samples: list[str], in_flight: int, s: float) -> Outcome:
    """Single texts, so many at once."""
    found = load.run(load.Load(server.url, "bench", samples, in_flight, 1, s))
    return Outcome(
        found.texts_per_second, found.percentile(50), found.failed, server.memory_mb()[1]
    )


def ranking(server: servers.Running, samples: list[str], in_flight: int, s: float) -> Outcome:
    """A query and ``DOCUMENTS`` documents, so many requests at once."""
    bodies = []
    for start in range(0, len(samples) - DOCUMENTS, DOCUMENTS):
        some = samples[start : start + DOCUMENTS]
        bodies.append({"model": "ranker", "query": some[0][:80], "documents": some})
    found = load.run(
        load.Load(f"{_base(server)}/v1/rerank", "", (), in_flight, 1, s, bodies=bodies)
    )
    rate = found.texts_per_second * DOCUMENTS
    return Outcome(rate, found.percentile(50), found.failed, server.memory_mb()[1])


Measure = Callable[[servers.Running, list[str], int, float], Outcome]


def compare(title: str, measure: Measure, options: argparse.Namespace, kind: str) -> None:
    """A table for each number in flight."""
    samples = texts("mixed", 1024, checkpoint.tokenizer())
    with running([kind]) as started:
        for in_flight in options.in_flight:
            found: dict[str, list[Outcome]] = {name: [] for name in started}
            for turn in range(options.rounds):
                turned = samples[turn * 97 :] + samples[: turn * 97]
                for name, server in started.items():
                    found[name].append(measure(server, turned, in_flight, options.seconds))
            base = [outcome.rate for outcome in found["xinference"]]
            rows = [
                (
                    name,
                    f"{median(o.rate for o in outcomes):,.1f}",
                    f"{median(o.middle for o in outcomes):,.1f}",
                    sum(o.failed for o in outcomes),
                    f"{outcomes[0].memory:,.0f}",
                    f"{outcomes[-1].memory:,.0f}",
                    f"{report.ratio([o.rate for o in outcomes], base):.1f}",
                )
                for name, outcomes in found.items()
            ]
            columns = ("server", "per second", "p50 ms", "failed", "MB first", "MB last", "ratio")
            report.table(f"{title}, {in_flight} in flight", columns, rows)


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
        for name, server in started.items():
            request = Request(
                server.url, body.encode(), {"content-type": "application/json"}
            )  # loopback
            with urlopen(request) as answer:  # loopback
                rows.append((name, str(len(answer.read()))))
    report.table("answer to the openai client's request", ("server", "bytes"), rows)


def _megabytes(folder: Path) -> float:
    files = (Path(top) / file for top, _, names in os.walk(folder) for file in names)
    return sum(file.lstat().st_size for file in files) / 1e6


def main(arguments: Sequence[str]) -> None:
    """Print what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks xinference", description=__doc__)
    parts = ["embeddings", "ranking", "cold", "sizes"]
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts)
    parser.add_argument("--in-flight", nargs="+", type=int, default=[1, 16, 64, 256])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=6.0)
    options = parser.parse_args(arguments)
    if not (servers.PEERS / "xinference").exists():
        sys.exit(servers.SETUP)
    report.machine("torch", "stelae")
    if "embeddings" in options.parts:
        compare("embeddings of mixed texts", embeddings, options, "embedding")
    if "ranking" in options.parts:
        options.in_flight = [n for n in options.in_flight if n <= 16]
        compare(f"pairs, {DOCUMENTS} in a request", ranking, options, "rerank")
    if "cold" in options.parts:
        cold(options.rounds)
    if "sizes" in options.parts:
        sizes()
