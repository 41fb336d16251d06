"""How long short texts wait while long ones saturate the server, against its own idle times."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from math import nan

from benchmarks import checkpoint, compare, load, report, servers, tables
from benchmarks.results import Cell
from benchmarks.texts import texts

LONG = 510
"""Tokens of the texts that flood."""

IDLE = Cell(name="idle", title="one short text at a time, alone", kind="short")


def main(arguments: Sequence[str]) -> None:
    """Ask one short text at a time, alone and beside the flood."""
    parser = compare.parser("flood", __doc__, ("infinity-bfloat16",))
    parser.set_defaults(rounds=5)
    parser.add_argument("--in-flight", type=int, default=16, help="long texts at a time")
    options = parser.parse_args(arguments)
    with compare.comparing("flood", __doc__, options) as comparison:
        idle = comparison.measure(IDLE, comparison.texts(IDLE))
        cell = _flooded(options.in_flight)
        flooded = comparison.measure(cell, _beside(comparison, cell, options.in_flight))
    report.table("beside its own idle times", tables.WAITS, tables.waits(flooded, idle))


def _flooded(in_flight: int) -> Cell:
    title = f"one short text at a time beside {in_flight} of {LONG} tokens"
    return Cell(name="flooded", title=title, kind="short", beside=IDLE.name)


def _beside(comparison: compare.Comparison, cell: Cell, in_flight: int) -> compare.Ask:
    """Short texts while another thread sends long ones, whose cost cannot be told from theirs."""
    words = " ".join(texts("mixed", 64, checkpoint.tokenizer())).split()
    long = [" ".join(words[i : i + LONG]) for i in range(64)]
    short = comparison.texts(cell)

    def ask(server: servers.Running, turn: int) -> load.Outcome:
        options = comparison.options
        many = load.Load(server.url, "bench", long, in_flight, 1, options.seconds, options.warmup)
        with ThreadPoolExecutor(1) as beside:
            flood = beside.submit(load.run, many)
            outcome = short(server, turn)
            outcome.failed += flood.result().failed  # who refuses the flood has it easy
        outcome.cpu = outcome.peak_mb = nan
        return outcome

    return ask
