"""What waiting OpenMP threads do to latency, alone and beside one busy process."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from statistics import median, quantiles

from benchmarks import checkpoint, report

SETTINGS = {
    "libgomp's default": {"GOMP_SPINCOUNT": "300000"},
    "spin 1000": {"GOMP_SPINCOUNT": "1000"},
    "spin 10000": {"GOMP_SPINCOUNT": "10000"},
    "passive": {"OMP_WAIT_POLICY": "PASSIVE"},
}
BUSY = "import time\nstop = time.time() + 30\nwhile time.time() < stop: pass"


def measure(seconds: float) -> None:
    """In a child: latencies of 1 and of 16 short texts, printed as milliseconds."""
    from stelae.catalog.catalog import Catalog
    from stelae.engines.base import EngineOptions
    from stelae.engines.encoder.engine import load
    from stelae.types import EncodeCall, Item

    engine = load(Catalog().spec("default"), EngineOptions())
    for count in (1, 16):
        items = [Item(text="how do I repair a puncture in a tyre") for _ in range(count)]
        job = engine.open(EncodeCall(model="default", items=items))
        batch = [entry.features for entry in job.prepare(0, count)]
        times = []
        stop = time.perf_counter() + seconds
        while time.perf_counter() < stop:
            started = time.perf_counter()
            engine.run([features for features in batch if features is not None])
            times.append(1e3 * (time.perf_counter() - started))
        print(median(times), quantiles(times, n=100)[98] if len(times) > 1 else times[0])


def main(arguments: Sequence[str]) -> None:
    """Print a row per setting and neighbour."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks openmp", description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        measure(options.seconds)
        return
    report.machine("torch")
    for neighbours in (0, 1):
        rows: dict[str, list[list[float]]] = {name: [] for name in SETTINGS}
        for _ in range(options.rounds):
            for name, environment in SETTINGS.items():
                rows[name].append(_child(environment, neighbours, options.seconds))
        table = [
            (name, *(f"{median(column):,.2f}" for column in zip(*found, strict=True)))
            for name, found in rows.items()
        ]
        columns = ("setting", "1 text p50 ms", "p99", "16 texts p50 ms", "p99")
        report.table(f"{neighbours} busy process(es) beside it", columns, table)


def _child(environment: dict[str, str], neighbours: int, seconds: float) -> list[float]:
    busy = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(neighbours)]
    try:
        command = [sys.executable, "-m", "benchmarks", "openmp", "--child"]
        done = subprocess.run(
            [*command, "--seconds", str(seconds)],
            env=os.environ | environment,
            cwd=checkpoint.CACHE.parent,
            capture_output=True,
            text=True,
            check=True,
        )
    finally:
        for process in busy:
            process.kill()
            process.wait()
    return [float(value) for value in done.stdout.split()]


if __name__ == "__main__":
    main(sys.argv[1:])
