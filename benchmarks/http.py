"""Texts/s and latency over HTTP: this project and its peers, in turn, on the same texts."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks import compare
from benchmarks.results import Cell

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
    parser = compare.parser("http", __doc__, dtypes=("auto", "float32"))
    parser.add_argument("--cells", nargs="+", choices=CELLS, default=["mixed-16", "short-1"])
    options = parser.parse_args(arguments)
    with compare.comparing("http", __doc__, options) as comparison:
        for name in options.cells:
            cell = _cell(name)
            comparison.measure(cell, comparison.texts(cell))


def _cell(name: str) -> Cell:
    kind, in_flight, per_request = CELLS[name]
    title = f"{kind} texts, {in_flight} requests in flight, {per_request} text(s) each"
    return Cell(name=name, title=title, kind=kind, in_flight=in_flight, per_request=per_request)
