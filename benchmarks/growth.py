"""Texts/s and memory as work grows: more requests in flight, more texts in one request."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks import compare
from benchmarks.results import Cell

IN_FLIGHT = (1, 4, 16, 64, 256)
SIZES = (1, 10, 100, 1_000, 10_000)

LONG = 1_000
"""Requests of so many texts take their time: one round has to do."""


def main(arguments: Sequence[str]) -> None:
    """Print a table per step; pictures with ``--out``."""
    parser = compare.parser("growth", __doc__, ("infinity-bfloat16",))
    parser.add_argument("--kind", default="mixed", help="of the texts")
    parser.add_argument("--in-flight", nargs="*", type=int, default=list(IN_FLIGHT))
    parser.add_argument("--sizes", nargs="*", type=int, default=list(SIZES))
    options = parser.parse_args(arguments)
    with compare.comparing("growth", __doc__, options) as comparison:
        for cell in _cells(options.kind, options.in_flight, options.sizes):
            rounds = 1 if cell.per_request >= LONG else options.rounds
            comparison.measure(cell, comparison.texts(cell), rounds)


def _cells(kind: str, in_flight: Sequence[int], sizes: Sequence[int]) -> list[Cell]:
    flights = [
        Cell(
            name=f"{count} in flight",
            title=f"{kind} texts, one in a request, {count} requests in flight",
            series="in-flight",
            axis="requests in flight, of one text each",
            at=count,
            kind=kind,
            in_flight=count,
        )
        for count in in_flight
    ]
    lists = [
        Cell(
            name=f"{count} in one",
            title=f"{count:,} {kind} text(s) in a request, one request at a time",
            series="sizes",
            axis="texts in one request",
            at=count,
            kind=kind,
            per_request=count,
        )
        for count in sizes
    ]
    return [*flights, *lists]
