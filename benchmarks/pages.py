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
from benchmarks.results import Run, Turn

FOLDER = Path("docs/benchmarks")

HEAD = "<!-- Written by benchmarks/pages.py from the .json files here: do not edit. -->\n"

OURS = "stelae"
"""What this project's servers are called; the first of them is the one started without options."""

EVEN = 0.995
"""From here on nobody is ahead: it is the last digit that is printed."""

METHOD = """
* One machine, one run: every server is started, then they take turns, round after round, on the
  same weights (all-MiniLM-L6-v2), texts and cores. Figures are medians over the rounds; ratios are
  taken round by round. The load comes from the same machine, which makes all rates lower.
* *texts/s* and latency count after a warm-up. In a closed loop (so many requests in flight) a
  connection asks again when it has its answer. In an open loop (so many requests offered per
  second, at random moments) latency counts from when a request was due, sent or not.
* *texts/CPU s* is what was answered over the CPU time of all processes of a server. *peak MB* adds
  up the peaks of their resident memory, so what they share is counted more than once.
* Up to 64 answers of a turn are kept and compared with sentence-transformers in fp32 when the
  timing is over. A vector with a cosine below 0.99 makes its request a failed one, as do errors,
  broken connections and answers that never came.
* *mixed* texts have 8 to 510 tokens (log-normal, median 64), *short* 8 to 16, *passage* about 128.
"""

REPEAT = """
```sh
make bench ARGS="all --out docs/benchmarks"                 # everything; tells how long it takes
make bench ARGS="all --out docs/benchmarks --no-peers"      # this project alone
make bench ARGS="http --cells mixed-16 --rounds 5 --out docs/benchmarks"
make bench ARGS="pages --out docs/benchmarks"               # pages and pictures, from the figures
```

Pictures need `pip install 'matplotlib>=3.10,<4'`. Peers run in environments of their own, and a
comparison whose peer is missing prints how to make it. Leave the machine alone meanwhile: the load
before the start is among the figures. [benchmarks/README.md](../../benchmarks/README.md) lists more
comparisons.
"""


def main(arguments: Sequence[str]) -> None:
    """Write the pages of a folder anew."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks pages", description=__doc__)
    parser.add_argument("--out", type=Path, default=FOLDER)
    for file in write(parser.parse_args(arguments).out):
        report.progress(f"wrote {file}")


def write(folder: Path) -> list[Path]:
    """Write a page for each file of figures, one about all, and pictures where they can be."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn: list[Path] = []
    try:
        for run in results.read(folder):
            drawn += plots.draw(run, folder)
    except ImportError:
        report.progress(plots.SETUP)
    for name, text in texts(folder).items():
        (folder / name).write_text(text, encoding="utf-8")
        drawn.append(folder / name)
    return drawn


def texts(folder: Path) -> dict[str, str]:
    """The pages that belong into a folder, by name; pictures are shown where they exist."""
    runs = results.read(folder)
    found = {f"{run.comparison}.md": page(run, _shown(run, folder)) for run in runs}
    return {**found, "README.md": index(runs)}


def _shown(run: Run, folder: Path) -> list[plots.Picture]:
    return [picture for picture in plots.pictures(run) if (folder / picture.file).exists()]


def page(run: Run, pictures: Sequence[plots.Picture] = ()) -> str:
    """One comparison: how it was made, pictures, tables, and where a peer is ahead."""
    parts = [f"# {run.comparison}\n", HEAD, f"{run.about}\n", _taken(run)]
    parts += [f"![{_sentence(p.caption)}]({p.file})\n" for p in pictures]
    parts += ["## Versions\n", table(("server", "versions"), list(_versions(run)))]
    parts += ["## Figures\n", "Ratios are to the first server of a table.\n"]
    for cell in run.cells:
        parts += [f"### {_sentence(cell.title)}\n", table(tables.COLUMNS, tables.rows(cell))]
    parts += ["## Where a peer is ahead\n", _behind([run])]
    return "\n".join(parts)


def index(runs: Sequence[Run]) -> str:
    """All comparisons: ratios, where a peer is ahead, how it was done, how to repeat it."""
    parts = ["# Benchmarks\n", HEAD]
    if not runs:
        parts.append("No figures have been taken yet.\n")
    for run in runs:
        parts += [f"## {run.comparison}\n", f"{run.about}\n", _taken(run)]
        parts += [f"[All figures]({run.comparison}.md), [as JSON]({run.comparison}.json).\n"]
        parts += [_ratios(run)]
    if runs:
        parts += ["## Where a peer is ahead\n", _behind(runs)]
    parts += ["## Method\n", METHOD.strip() + "\n", "## Again\n", REPEAT.strip() + "\n"]
    return "\n".join(parts)


def _taken(run: Run) -> str:
    machine = ", ".join(f"{name}: {value}" for name, value in run.machine.items())
    method = ", ".join(f"{name}: {value}" for name, value in run.method.items())
    return f"Taken {run.taken}. Machine: {machine}. Method: {method}.\n"


def _versions(run: Run) -> Iterator[tuple[str, str]]:
    for name, found in run.versions.items():
        yield name, ", ".join(f"{package} {version}" for package, version in found.items())


def _ratios(run: Run) -> str:
    """How many times better this project is, for each kind of work and peer."""
    rows = [
        (pair.work, pair.peer, *(tables.number(pair.ahead(m), ",.2f") for m in tables.MEASURES))
        for pair in _pairs([run])
    ]
    if not rows:
        return "No peer took part.\n"
    told = "How many times better this project is; below one, the other is.\n\n"
    return told + table(("work", "beside", *(m.label for m in tables.MEASURES)), rows)


@dataclass(frozen=True)
class Pair:
    """This project beside a peer, at some work.

    Attributes:
        work: What both did.
        peer: Its name.
        ours: Turns of this project.
        theirs: Turns of the peer.
    """

    work: str
    peer: str
    ours: Sequence[Turn]
    theirs: Sequence[Turn]

    def ahead(self, measure: tables.Measure) -> float:
        """How many times better ours is; NaN if not known."""
        return tables.ahead(self.ours, self.theirs, measure)


def _pairs(runs: Sequence[Run]) -> Iterator[Pair]:
    """Each kind of work with each peer that did it beside us."""
    for cell in (cell for run in runs for cell in run.cells):
        ours = [turns for name, turns in cell.servers.items() if name.startswith(OURS)]
        for name, turns in cell.servers.items():
            if ours and not name.startswith(OURS):
                yield Pair(cell.title, name, ours[0], turns)


def _behind(runs: Sequence[Run]) -> str:
    """Every measure in which a peer did better."""
    rows = [
        (pair.work, pair.peer, measure.label, *_both(pair, measure))
        for pair in _pairs(runs)
        for measure in tables.MEASURES
        if pair.ahead(measure) < EVEN
    ]
    if not rows:
        return "Nowhere, in what was measured.\n"
    return table(("work", "peer", "in", "the peer's", "ours"), rows)


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
