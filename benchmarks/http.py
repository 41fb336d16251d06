"""Texts/s and latency over HTTP: this project and infinity, in turn, on the same texts."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from statistics import median

from benchmarks import checkpoint, load, report, servers
from benchmarks.texts import texts

CELLS = {
    "mixed-16": ("mixed", 16, 1),
    "passage-16": ("passage", 16, 1),
    "short-16": ("short", 16, 1),
    "short-1": ("short", 1, 1),
    "passage-1": ("passage", 1, 1),
    "mixed-64": ("mixed", 64, 1),
    "short-64": ("short", 64, 1),
    "mixed-4x32": ("mixed", 4, 32),
    "passage-4x32": ("passage", 4, 32),
}
"""Kind of text, requests in flight, texts per request."""


def main(arguments: Sequence[str]) -> None:
    """Print a table per cell, ratios against the first contender."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks http", description=__doc__)
    parser.add_argument("--cells", nargs="+", choices=CELLS, default=["mixed-16", "short-1"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--no-peers", action="store_true")
    options = parser.parse_args(arguments)
    report.machine("torch", "stelae")
    contenders = [servers.stelae("auto"), servers.stelae("float32")]
    if not options.no_peers:
        peers = [servers.infinity("as shipped"), servers.infinity("bfloat16")]
        contenders = peers + contenders
    with servers.running(contenders) as started:
        for cell in options.cells:
            _compare(cell, started, options.rounds, options.seconds)


def _compare(cell: str, started: Sequence[servers.Running], rounds: int, seconds: float) -> None:
    kind, in_flight, per_request = CELLS[cell]
    samples = texts(kind, 1024, checkpoint.tokenizer())
    outcomes: dict[str, list[load.Outcome]] = {s.contender.name: [] for s in started}
    for turn in range(rounds):
        for server in started:
            todo = load.Load(
                server.url,
                "bench",
                samples[turn * 97 :] + samples[: turn * 97],
                in_flight,
                per_request,
                seconds,
            )
            outcomes[server.contender.name].append(load.run(todo))
    first = next(iter(outcomes.values()))
    rows = [
        (
            name,
            f"{median(o.texts_per_second for o in found):,.1f}",
            f"{median(o.percentile(50) for o in found):,.2f}",
            f"{median(o.percentile(99) for o in found):,.2f}",
            sum(o.failed for o in found),
            f"{_ratio(found, first):.2f}",
            f"{_latency(found, first):.2f}",
        )
        for name, found in outcomes.items()
    ]
    columns = ("server", "texts/s", "p50 ms", "p99 ms", "failed", "texts/s ratio", "p50 ratio")
    title = f"{kind} texts, {in_flight} requests in flight, {per_request} text(s) each"
    report.table(title, columns, rows)


def _ratio(ours: Sequence[load.Outcome], theirs: Sequence[load.Outcome]) -> float:
    return report.ratio([o.texts_per_second for o in ours], [o.texts_per_second for o in theirs])


def _latency(ours: Sequence[load.Outcome], theirs: Sequence[load.Outcome]) -> float:
    return report.ratio([o.percentile(50) for o in ours], [o.percentile(50) for o in theirs])
