"""Texts/s from SIE's own client: this project and sie-server, in turn, on the same texts."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import psutil

from benchmarks import checkpoint, load, report, servers
from benchmarks.texts import texts

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))

import clients  # beside the benchmarks, no package

CLIENT = "sie-0.10.1"

CELLS = {"mixed-16": ("mixed", 16), "short-16": ("short", 16), "short-1": ("short", 1)}
"""Kind of text, requests in flight, each of one text."""


def main(arguments: Sequence[str]) -> None:
    """Print a table per cell, ratios against sie-server."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks sie", description=__doc__)
    parser.add_argument("--cells", nargs="+", choices=CELLS, default=list(CELLS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--cold", action="store_true", help="time from cold to the first answer")
    options = parser.parse_args(arguments)
    report.machine("torch", "stelae")
    python = clients.python_of(CLIENT)
    contenders = [servers.sie(), servers.stelae("auto"), servers.stelae("float32")]
    if options.cold:
        _cold(contenders, python, options.rounds)
        return
    with servers.running(contenders) as started:
        for cell in options.cells:
            _compare(cell, started, python, options.rounds, options.seconds)


def _compare(
    cell: str, started: Sequence[servers.Running], python: Path, rounds: int, seconds: float
) -> None:
    kind, in_flight = CELLS[cell]
    samples = texts(kind, 1024, checkpoint.tokenizer())
    file = checkpoint.CACHE / "sie-texts.json"
    outcomes: dict[str, list[load.Outcome]] = {s.contender.name: [] for s in started}
    spent: dict[str, list[float]] = {s.contender.name: [] for s in started}
    for turn in range(rounds):
        file.write_text(json.dumps(samples[turn * 97 :] + samples[: turn * 97]))
        for server in started:
            before = _cpu(server.process)
            found = _asked(server, python, file, in_flight, seconds)
            outcomes[server.contender.name].append(found)
            spent[server.contender.name].append(_cpu(server.process) - before)
    first = next(iter(outcomes.values()))
    rows = [
        (
            name,
            f"{median(o.texts_per_second for o in found):,.1f}",
            f"{median(o.percentile(50) for o in found):,.2f}",
            f"{median(o.percentile(99) for o in found):,.2f}",
            sum(o.failed for o in found),
            f"{_per_cpu(found, spent[name], seconds):,.0f}",
            f"{report.ratio(_rates(found), _rates(first)):.2f}",
        )
        for name, found in outcomes.items()
    ]
    columns = ("server", "texts/s", "p50 ms", "p99 ms", "failed", "texts/CPU s", "ratio")
    report.table(f"{kind} texts, {in_flight} in flight, SIE's own client", columns, rows)


def _per_cpu(found: Sequence[load.Outcome], spent: Sequence[float], seconds: float) -> float:
    """Texts for each CPU second of the server; those sent before counting cost too."""
    rates = zip(_rates(found), spent, strict=True)
    return median(rate * seconds / cpu for rate, cpu in rates)


def _rates(found: Sequence[load.Outcome]) -> list[float]:
    return [outcome.texts_per_second for outcome in found]


def _asked(
    server: servers.Running, python: Path, file: Path, in_flight: int, seconds: float
) -> load.Outcome:
    script = Path(__file__).with_name("sie_load.py")
    base = server.url.rsplit("/v1", 1)[0]
    command = [python, "-P", script, base, "bench", file, str(in_flight), str(seconds)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    told = json.loads(done.stdout.splitlines()[-1])
    rate = max(1, len(told["took"])) / seconds
    return load.Outcome(seconds=told["took"], texts_per_second=rate, failed=told["failed"])


def _cpu(process: psutil.Process) -> float:
    """CPU seconds of a server and its children so far."""
    family = [process, *process.children(recursive=True)]
    return sum(sum(member.cpu_times()[:2]) for member in family)


def _cold(contenders: Sequence[servers.Contender], python: Path, rounds: int) -> None:
    """From the first request for a model that is not loaded to its answer."""
    ask = "import sys; from sie_sdk import SIEClient; c = SIEClient(sys.argv[1]); import time; "
    ask += "t = time.perf_counter(); c.encode('bench', {'text': 'hello'}); "
    ask += "print(time.perf_counter() - t)"
    found: dict[str, list[float]] = {c.name: [] for c in contenders}
    for _ in range(rounds):
        for contender in contenders:
            with servers.running([contender.cold()]) as (server,):
                base = server.url.rsplit("/v1", 1)[0]
                time.sleep(1)
                done = subprocess.run(
                    [python, "-c", ask, base], check=True, capture_output=True, text=True
                )
                found[contender.name].append(float(done.stdout))
    first = next(iter(found.values()))
    rows = [
        (name, f"{median(seconds):.2f}", f"{median(first) / median(seconds):.2f}")
        for name, seconds in found.items()
    ]
    report.table("cold model to first answer, SIE's own client", ("server", "s", "sooner"), rows)
