"""How long short texts wait while long ones saturate the server, against its own idle times."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Sequence
from statistics import median

from benchmarks import checkpoint, load, report, servers
from benchmarks.texts import texts

LONG = 510
"""Tokens of the texts that flood."""


def main(arguments: Sequence[str]) -> None:
    """Ask one short text at a time, alone and beside the flood, in turn."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks flood", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--in-flight", type=int, default=16, help="long texts at a time")
    parser.add_argument("--no-peers", action="store_true")
    options = parser.parse_args(arguments)
    report.machine("torch", "stelae")
    contenders = [servers.stelae("auto")]
    if not options.no_peers:
        contenders.append(servers.infinity("bfloat16"))
    tokenizer = checkpoint.tokenizer()
    short = texts("short", 256, tokenizer)
    words = " ".join(texts("mixed", 64, tokenizer)).split()
    long = [" ".join(words[i : i + LONG]) for i in range(64)]
    rows = []
    with servers.running(contenders) as started:
        idle: dict[str, list[load.Outcome]] = {s.contender.name: [] for s in started}
        flooded: dict[str, list[load.Outcome]] = {s.contender.name: [] for s in started}
        for _ in range(options.rounds):
            for server in started:
                name, url = server.contender.name, server.url
                one = load.Load(url, "bench", short, 1, 1, options.seconds)
                many = load.Load(url, "bench", long, options.in_flight, 1, options.seconds)
                idle[name].append(load.run(one))
                flood = threading.Thread(target=load.run, args=(many,))
                flood.start()
                flooded[name].append(load.run(one))
                flood.join()
        for name in idle:
            alone = [o.percentile(99) for o in idle[name]]
            beside = [o.percentile(99) for o in flooded[name]]
            rows.append(
                (
                    name,
                    f"{median(o.percentile(50) for o in idle[name]):,.1f}",
                    f"{median(alone):,.1f}",
                    f"{median(o.percentile(50) for o in flooded[name]):,.1f}",
                    f"{median(beside):,.1f}",
                    f"{report.ratio(beside, alone):.1f}",
                )
            )
    columns = ("server", "idle p50 ms", "idle p99", "flooded p50", "flooded p99", "p99 ratio")
    report.table(
        f"one short text at a time beside {options.in_flight} of {LONG} tokens", columns, rows
    )
