"""Seconds from process start until ready, and memory at rest, in turn with infinity."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from statistics import median

from benchmarks import report, servers


def main(arguments: Sequence[str]) -> None:
    """Print medians over the rounds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks startup", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-peers", action="store_true")
    options = parser.parse_args(arguments)
    report.machine("torch", "stelae")
    contenders = [servers.stelae("auto")]
    if not options.no_peers:
        contenders.append(servers.infinity("as shipped"))
    seconds: dict[str, list[float]] = {c.name: [] for c in contenders}
    memory: dict[str, tuple[float, float]] = {}
    for _ in range(options.rounds):
        for contender in contenders:
            with servers.running([contender]) as started:
                seconds[contender.name].append(started[0].seconds_to_ready)
                memory[contender.name] = started[0].memory_mb()
    rows = [
        (
            name,
            f"{median(found):.2f}",
            f"{max(found):.2f}",
            f"{memory[name][0]:.0f}",
            f"{memory[name][1]:.0f}",
        )
        for name, found in seconds.items()
    ]
    columns = ("server", "median s", "worst s", "first process MB", "all processes MB")
    report.table(f"ready with the model loaded, {options.rounds} starts", columns, rows)
