"""Every comparison whose figures are kept, one after the other, into one folder."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import flood, growth, http, offered, pages, report, servers, sie, xinference

STARTING = 25.0
"""Seconds in which a server is started and has given its first answer, about."""


CHECKING = 0.4
"""Seconds in which the answers of a turn are checked, about."""


@dataclass(frozen=True)
class Step:
    """A comparison.

    Attributes:
        main: Runs it.
        cells: Kinds of work, about; those with longer turns count more.
        peers: Servers beside this project's one.
        share: Of the rounds: curves show noise by themselves, single ratios do not.
        options: What it is told beyond what all are.
        needs: Folder of the peer without which it is left out.
    """

    main: Callable[[Sequence[str]], None]
    cells: int
    peers: int
    share: float = 1.0
    options: tuple[str, ...] = ()
    needs: str = ""

    def rounds(self, given: int) -> int:
        """Of this comparison."""
        return max(1, round(self.share * given))

    def seconds(self, turn: float, rounds: int, alone: bool) -> float:
        """About how long it takes, if a turn takes so long."""
        started = 1 + (0 if alone else self.peers)
        return started * (STARTING + self.cells * self.rounds(rounds) * turn)


PEERS = ("--peers", "infinity-as-shipped", "infinity-bfloat16", "fastapi")
XINFERENCE = ("--parts", "embeddings", "ranking", "--in-flight", "1", "16", "64")

STEPS = {
    "http": Step(http.main, 28, 3, 1.0, (*PEERS, "--dtypes=auto", "--cells", *http.CELLS)),
    "offered": Step(offered.main, 10, 2, 0.4),
    "growth": Step(growth.main, 20, 1, 0.6),
    "flood": Step(flood.main, 2, 1),
    "sie": Step(sie.main, 3, 1, 0.6, ("--dtypes=auto",), "sie"),
    "xinference": Step(xinference.main, 12, 1, 0.4, (*XINFERENCE, "--dtypes=auto"), "xinference"),
}
"""In this order; the figures that matter most come first."""


def main(arguments: Sequence[str]) -> None:
    """Run the steps; tell how long they take before and after."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks all", description=__doc__)
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=list(STEPS))
    parser.add_argument("--rounds", type=int, default=5, help="of ratios; curves have fewer")
    parser.add_argument("--seconds", type=float, default=2.0, help="counted, of each turn")
    parser.add_argument("--warmup", type=float, default=0.5, help="seconds before, not counted")
    parser.add_argument("--out", type=Path, default=pages.FOLDER)
    parser.add_argument("--no-peers", action="store_true")
    options = parser.parse_args(arguments)
    steps = {name: STEPS[name] for name in options.steps if _takes_part(STEPS[name], options)}
    _announce(steps, options)
    began = time.monotonic()
    for name, step in steps.items():
        report.progress(f"{name} begins after {(time.monotonic() - began) / 60:.1f} minutes")
        _run(name, step, options)
    report.progress(f"all took {(time.monotonic() - began) / 60:.1f} minutes")


def _takes_part(step: Step, options: argparse.Namespace) -> bool:
    return not step.needs or (not options.no_peers and (servers.PEERS / step.needs).exists())


def _announce(steps: dict[str, Step], options: argparse.Namespace) -> None:
    turn = options.seconds + options.warmup + CHECKING
    for name, step in steps.items():
        seconds = step.seconds(turn, options.rounds, options.no_peers)
        report.progress(f"{name}: about {seconds / 60:.1f} minutes")
    every = sum(s.seconds(turn, options.rounds, options.no_peers) for s in steps.values())
    report.progress(f"all: about {every / 60:.0f} minutes")


def _run(name: str, step: Step, options: argparse.Namespace) -> None:
    """One step; the others go on if it ends early, as for a peer that is not installed."""
    told = [f"--{key}={getattr(options, key)}" for key in ("seconds", "warmup", "out")]
    told.append(f"--rounds={step.rounds(options.rounds)}")
    alone = ["--no-peers"] if options.no_peers and not step.needs else []
    try:
        step.main([*told, *step.options, *alone])
    except SystemExit as end:
        report.progress(f"{name} ended early: {end}")
