"""Latency against offered load: requests come at their own times, whatever the server does.

Latency counts from when a request was due. A server that answers less than nine tenths of what it
is offered is saturated and is not asked for more.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks import compare
from benchmarks.results import Cell, Turn

RATES = (10, 20, 40, 80, 160, 320, 640, 1280)
"""Requests per second, each of one text."""

CONNECTIONS = 128
"""At most; a request that finds none free waits, and its latency counts meanwhile."""

SATURATED = 0.9


def main(arguments: Sequence[str]) -> None:
    """Print a table per rate; pictures with ``--out``."""
    parser = compare.parser("offered", __doc__)
    parser.add_argument("--kinds", nargs="+", default=["short", "mixed"], help="of the texts")
    parser.add_argument("--rates", nargs="+", type=float, default=list(RATES))
    parser.add_argument("--steady", action="store_true", help="at equal distances, not Poisson")
    options = parser.parse_args(arguments)
    options.rates.sort()
    with compare.comparing("offered", __doc__, options) as comparison:
        everyone = list(comparison.started)
        for kind in options.kinds:
            comparison.started = list(everyone)
            for rate in options.rates:
                _step(comparison, kind, rate)
        comparison.started = everyone


def _step(comparison: compare.Comparison, kind: str, rate: float) -> None:
    """One rate for those that are not saturated yet."""
    if not comparison.started:
        return
    cell = Cell(
        name=f"{kind} at {rate:g}/s",
        title=f"{kind} texts, {rate:g} requests/s offered",
        series=kind,
        axis=f"requests offered per second, of one {kind} text each",
        at=rate,
        kind=kind,
        in_flight=CONNECTIONS,
        rate=rate,
    )
    done = comparison.measure(cell, comparison.texts(cell))
    comparison.started = [
        server
        for server in comparison.started
        if not saturated(done.servers[server.contender.name], comparison.options.seconds)
    ]


def saturated(turns: Sequence[Turn], seconds: float) -> bool:
    """Whether less was answered than was offered, in most turns."""
    late = [turn.texts_per_second < SATURATED * turn.requests / seconds for turn in turns]
    return 2 * sum(late) > len(late)
