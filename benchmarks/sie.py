"""Texts/s from SIE's own client: this project and sie-server, in turn, on the same texts."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import answers, checkpoint, compare, load, report, servers
from benchmarks.results import Cell
from benchmarks.usage import Usage

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))

import clients  # beside the benchmarks, no package

CLIENT = "sie-0.10.1"

CELLS = {"mixed-16": ("mixed", 16), "short-16": ("short", 16), "short-1": ("short", 1)}
"""Kind of text, requests in flight, each of one text."""


def main(arguments: Sequence[str]) -> None:
    """Print a table per cell, ratios against sie-server."""
    parser = compare.parser("sie", __doc__, (), ("auto", "float32"))
    parser.add_argument("--cells", nargs="+", choices=CELLS, default=list(CELLS))
    parser.add_argument("--cold", action="store_true", help="time from cold to the first answer")
    options = parser.parse_args(arguments)
    python = clients.python_of(CLIENT)
    contenders = [servers.sie(), *map(servers.stelae, options.dtypes)]
    if options.cold:
        report.machine("torch", "stelae")
        _cold(contenders, python, options.rounds)
        return
    starting = servers.running(contenders)
    with compare.comparing("sie", __doc__, options, starting) as comparison:
        for name in options.cells:
            cell = _cell(name)
            comparison.measure(cell, _asking(comparison, cell, python))


def _cell(name: str) -> Cell:
    kind, in_flight = CELLS[name]
    title = f"{kind} texts, {in_flight} in flight, SIE's own client"
    return Cell(name=name, title=title, kind=kind, in_flight=in_flight)


def _asking(comparison: compare.Comparison, cell: Cell, python: Path) -> compare.Ask:
    """Asks with SIE's client in its environment; what was not counted cost no more or less."""
    given = compare.samples(cell)
    options = comparison.options
    file = checkpoint.CACHE / "sie-texts.json"

    def ask(server: servers.Running, turn: int) -> load.Outcome:
        todo = load.Load(server.url, "bench", compare.turned(given, turn))
        file.write_text(json.dumps(todo.texts))
        usage = Usage(server.process)
        usage.begin()
        told = _told(server, python, file, cell.in_flight, options)
        usage.end()
        counted = len(told["took"])
        outcome = load.Outcome(
            seconds=told["took"],
            texts_per_second=counted / options.seconds,
            failed=told["failed"],
            elapsed=options.seconds,
            cpu=usage.cpu * counted / max(1, told["answered"]),
            peak_mb=usage.peak_mb,
            kept=[(number, _as_sent(vector)) for number, vector in told["kept"]],
        )
        answers.check(todo, outcome, comparison.reference.vectors)
        return outcome

    return ask


def _as_sent(vector: Sequence[float]) -> bytes:
    """A vector as an answer over HTTP would have it."""
    return json.dumps({"data": [{"index": 0, "embedding": vector}]}).encode()


def _told(
    server: servers.Running, python: Path, file: Path, in_flight: int, options: Namespace
) -> dict[str, Any]:
    script = Path(__file__).with_name("sie_load.py")
    base = server.url.rsplit("/v1", 1)[0]
    numbers = map(str, (in_flight, options.seconds, options.warmup))
    command = [str(python), "-P", str(script), base, "bench", str(file), *numbers]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


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
