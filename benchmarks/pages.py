"""Pages about figures, written from their files alone, so that words and numbers agree.

    python -m benchmarks pages --out FOLDER

writes them anew, and the pictures.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import plots, report, results, tables
from benchmarks.plots import Picture
from benchmarks.prose import HEAD, METHOD, NOWHERE, REPEAT, TITLES
from benchmarks.results import Cell, Run, Turn

FOLDER = Path("docs/benchmarks")

OURS = "stelae"
"""What this project's servers are called; the first of them is the one started without options."""

EVEN = 0.995
"""From here on nobody is ahead: it is the last digit that is printed."""


def main(arguments: Sequence[str]) -> None:
    """Write the pages and pictures of a folder anew."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks pages", description=__doc__)
    parser.add_argument("--out", type=Path, default=FOLDER)
    folder = parser.parse_args(arguments).out
    for run in results.read(folder):
        draw(run, folder)
    write(folder)


def draw(run: Run, folder: Path) -> None:
    """Write the pictures of a run, where there is something to draw them with."""
    try:
        plots.draw(run, folder)
    except ImportError:
        report.progress(plots.SETUP)


def write(folder: Path) -> None:
    """Write a page for each file of figures, and one about all."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts(folder).items():
        (folder / name).write_text(text, encoding="utf-8")
    report.progress(f"wrote {folder}")


def texts(folder: Path) -> dict[str, str]:
    """The pages that belong into a folder, by name; pictures are shown where they exist."""
    shown = [(run, _shown(run, folder)) for run in sorted(results.read(folder), key=_place)]
    others = sorted({page.name for page in folder.glob("*.md")} - {"README.md"})
    found = {f"{run.comparison}.md": page(run, pictures) for run, pictures in shown}
    return {**found, "README.md": index(shown, [name for name in others if name not in found])}


def _place(run: Run) -> int:
    """Comparisons stand in the order of their titles, others behind them."""
    known = list(TITLES)
    return known.index(run.comparison) if run.comparison in known else len(known)


def _shown(run: Run, folder: Path) -> list[Picture]:
    return [picture for picture in plots.pictures(run) if (folder / picture.file).exists()]


def page(run: Run, pictures: Sequence[Picture] = ()) -> str:
    """One comparison: how it was made, pictures, ratios, tables, and where a peer is ahead."""
    parts = [f"# {_named(run)}\n", HEAD, f"{run.about}\n", _taken(run), *_images(pictures)]
    parts += ["## Versions\n", table(("server", "versions"), list(_versions(run)))]
    parts += ["## Ratios\n", _ratios(run.cells)]
    parts += ["## Where a peer is ahead\n", _behind(run.cells)]
    parts += ["## Figures\n", "Ratios are to the first server of a table.\n"]
    for cell in run.cells:
        parts += [f"### {_sentence(cell.title)}\n", table(tables.COLUMNS, tables.rows(cell))]
    return "\n".join([*parts, *_longer(run)])


def index(runs: Sequence[tuple[Run, Sequence[Picture]]], others: Sequence[str] = ()) -> str:
    """All comparisons: ratios, where a peer is ahead, how it was done, how to repeat it."""
    parts = ["# Benchmarks\n", HEAD]
    if not runs:
        parts.append("No figures have been taken yet.\n")
    for run, pictures in runs:
        parts += [f"## {_named(run)}\n", f"{run.about}\n", _taken(run), *_images(pictures)]
        if alone := [cell for cell in run.cells if not cell.series]:
            parts.append(_ratios(alone))
        parts += _longer(run)
        parts.append(f"[All figures]({run.comparison}.md), [as JSON]({run.comparison}.json).\n")
    if runs:
        parts += ["## Where a peer is ahead\n", _summed([run for run, _ in runs])]
    parts += ["## Method\n", METHOD.strip() + "\n", "## Again\n", REPEAT.strip() + "\n"]
    if others:
        parts += [
            "## Besides\n",
            *(f"* [{name.removesuffix('.md')}]({name})" for name in others),
            "",
        ]
    return "\n".join(parts)


def _named(run: Run) -> str:
    return TITLES.get(run.comparison, _sentence(run.comparison.replace("-", ", ")))


def _images(pictures: Sequence[Picture]) -> list[str]:
    return [f"![{_sentence(picture.caption)}]({picture.file})\n" for picture in pictures]


def _taken(run: Run) -> str:
    machine = ", ".join(f"{name}: {value}" for name, value in run.machine.items())
    method = ", ".join(f"{name}: {value}" for name, value in run.method.items())
    return f"Taken {run.taken}. Machine: {machine}. Method: {method}.\n"


def _versions(run: Run) -> Iterator[tuple[str, str]]:
    for name, found in run.versions.items():
        yield name, ", ".join(f"{package} {version}" for package, version in found.items())


def _longer(run: Run) -> list[str]:
    """How much longer than in another cell each server's own requests took."""
    pairs = [(cell, base) for cell in run.cells for base in run.cells if base.name == cell.beside]
    return [
        f'Times of "{cell.title}" beside the same server\'s own of "{base.title}".\n\n'
        + table(tables.WAITS, tables.waits(cell, base))
        for cell, base in pairs
    ]


def _ratios(cells: Sequence[Cell]) -> str:
    """How many times better this project is, for each kind of work and peer."""
    rows = [
        (pair.cell.title, pair.peer, *(_times(pair, measure) for measure in tables.MEASURES))
        for pair in _pairs(cells)
    ]
    if not rows:
        return "No peer took part.\n"
    told = "How many times better this project is; below one, the other is.\n\n"
    return told + table(("work", "beside", *(m.label for m in tables.MEASURES)), rows)


@dataclass(frozen=True)
class Pair:
    """This project beside a peer, at some work.

    Attributes:
        cell: What both did.
        peer: Its name.
        ours: Turns of this project.
        theirs: Turns of the peer.
    """

    cell: Cell
    peer: str
    ours: Sequence[Turn]
    theirs: Sequence[Turn]

    def ahead(self, measure: tables.Measure) -> float:
        """How many times better ours is; NaN if not known."""
        return tables.ahead(self.ours, self.theirs, measure)


def _times(pair: Pair, measure: tables.Measure) -> str:
    known = measure in tables.measures(pair.cell)
    return tables.number(pair.ahead(measure), ",.2f") if known else "-"


def _pairs(cells: Sequence[Cell]) -> Iterator[Pair]:
    """Each kind of work with each peer that did it beside us."""
    for cell in cells:
        ours = [turns for name, turns in cell.servers.items() if name.startswith(OURS)]
        for name, turns in cell.servers.items():
            if ours and not name.startswith(OURS):
                yield Pair(cell, name, ours[0], turns)


def _behind(cells: Sequence[Cell]) -> str:
    """Every measure in which a peer did better."""
    rows = [
        (pair.cell.title, pair.peer, measure.label, *_both(pair, measure))
        for pair in _pairs(cells)
        for measure in tables.measures(pair.cell)
        if pair.ahead(measure) < EVEN
    ]
    return table(("work", "peer", "in", "the peer's", "ours"), rows) if rows else NOWHERE


def _summed(runs: Sequence[Run]) -> str:
    """The same in short: in how many kinds of work, and how far at most."""
    rows = []
    for run in runs:
        pairs = list(_pairs(run.cells))
        for peer in dict.fromkeys(pair.peer for pair in pairs):
            for measure in tables.MEASURES:
                known = [p for p in pairs if p.peer == peer and measure in tables.measures(p.cell)]
                lost = [r for r in (pair.ahead(measure) for pair in known) if r < EVEN]
                if lost:
                    most = tables.number(1 / max(min(lost), 1e-9), ",.2f")
                    told = (_named(run), peer, measure.label, f"{len(lost)} of {len(known)}", most)
                    rows.append(told)
    columns = ("comparison", "peer", "in", "kinds of work", "times, at most")
    return table(columns, rows) if rows else NOWHERE


def _both(pair: Pair, measure: tables.Measure) -> tuple[str, str]:
    return _told(pair.theirs, measure), _told(pair.ours, measure)


def _told(turns: Sequence[Turn], measure: tables.Measure) -> str:
    value = tables.middle(turns, measure)
    return f"{tables.number(value, ',.1f')} {measure.unit}" if math.isfinite(value) else "-"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown: the first column to the left, numbers to the right."""
    numbers = [
        column > 0 and all(row[column][:1].isdigit() or row[column] == "-" for row in rows)
        for column in range(len(columns))
    ]
    rule = ["---:" if right else "---" for right in numbers]
    lines = ["| " + " | ".join(cells) + " |" for cells in (columns, rule, *rows)]
    return "\n".join(lines) + "\n"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
