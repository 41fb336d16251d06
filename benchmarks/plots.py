"""Pictures of figures, as SVG: the colours can be told apart by everyone, and markers help.

matplotlib is not a dependency; without it there are no pictures.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.results import Cell, Run
from benchmarks.tables import EFFICIENCY, MEMORY, MIDDLE, RATE, TAIL, Measure, middle, number

SETUP = "no pictures, which need matplotlib: pip install 'matplotlib>=3.10,<4'"

COLOURS = ("#0072B2", "#56B4E9", "#D55E00", "#E69F00", "#009E73", "#CC79A7", "#000000")
"""Okabe and Ito's palette without its yellow, which is faint on white; ours are the blue ones."""

MARKERS = "osD^vPX"

STYLE: Any = {
    "font.size": 10,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "legend.frameon": False,
    "svg.hashsalt": "stelae",
    "figure.constrained_layout.use": True,
}

ACROSS = 3
"""Panels beside each other."""


@dataclass(frozen=True)
class Picture:
    """What is drawn.

    Attributes:
        name: Of its file.
        caption: What it shows.
        cells: Its points, or its panels.
        measures: One panel each for curves, the only one for bars.
    """

    name: str
    caption: str
    cells: Sequence[Cell]
    measures: Sequence[Measure]

    @property
    def file(self) -> str:
        """Name of its file."""
        return f"{self.name}.svg"


def pictures(run: Run) -> Iterator[Picture]:
    """Curves for each series, bars for cells that belong to none."""
    series = {cell.series: [c for c in run.cells if c.series == cell.series] for cell in run.cells}
    alone = series.pop("", [])
    for name, cells in series.items():
        what = (MIDDLE, TAIL) if cells[0].rate else (RATE, EFFICIENCY, MEMORY)
        told = " and ".join((", ".join(m.label for m in what[:-1]), what[-1].label))
        yield Picture(f"{run.comparison}-{name}", f"{told} against {cells[0].axis}", cells, what)
    if alone:
        yield Picture(f"{run.comparison}-rate", "texts per second", alone, (RATE,))
        yield Picture(f"{run.comparison}-cpu", "texts per CPU second", alone, (EFFICIENCY,))


def draw(run: Run, folder: Path) -> list[Path]:
    """Write the pictures of a run.

    Raises:
        ImportError: There is nothing to draw them with.
    """
    import matplotlib

    matplotlib.use("agg")
    with matplotlib.rc_context(STYLE):
        return [_drawn(picture, folder) for picture in pictures(run)]


def _drawn(picture: Picture, folder: Path) -> Path:
    from matplotlib import pyplot

    looks = _looks(picture.cells)
    figure = (_curves if picture.cells[0].series else _bars)(pyplot, picture, looks)
    file = folder / picture.file
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)
    # Lines end without blanks, as those of every other file do.
    file.write_text("\n".join(line.rstrip() for line in file.read_text().splitlines()) + "\n")
    return file


def _looks(cells: Sequence[Cell]) -> dict[str, tuple[str, str]]:
    """Colour and marker of each server: ours first, in blue."""
    names = list(dict.fromkeys(name for cell in cells for name in cell.servers))
    ours = [name for name in names if name.startswith("stelae")][:2]
    others = [name for name in names if name not in ours]
    places = [*range(len(ours)), *range(2, 2 + len(others))]
    return {
        name: (COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)])
        for name, place in zip([*ours, *others], places, strict=True)
    }


def _curves(pyplot: Any, picture: Picture, looks: dict[str, tuple[str, str]]) -> Any:
    """A panel per measure; the band is from the least to the most."""
    count = len(picture.measures)
    figure, panels = pyplot.subplots(1, count, figsize=(4.2 * count, 3.6), squeeze=False)
    at = sorted({cell.at for cell in picture.cells})
    for panel, measure in zip(panels[0], picture.measures, strict=True):
        for name, (colour, marker) in looks.items():
            cells = [cell for cell in picture.cells if name in cell.servers]
            _curve(panel, cells, name, measure, {"color": colour, "marker": marker})
        panel.set(xscale="log", title=measure.label, ylabel=measure.unit)
        panel.set_xticks(at, [f"{tick:,g}" for tick in at])
        _scale(panel, measure)
        panel.minorticks_off()
    figure.supxlabel(picture.cells[0].axis, fontsize=10)
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=min(4, len(labels)))
    return figure


def _curve(
    panel: Any, cells: Sequence[Cell], name: str, measure: Measure, look: dict[str, str]
) -> None:
    points = [(cell.at, middle(cell.servers[name], measure), cell) for cell in cells]
    known = [(at, value, cell) for at, value, cell in points if math.isfinite(value) and value > 0]
    spread = [[measure.of(turn) for turn in cell.servers[name]] for _, _, cell in known]
    at = [point[0] for point in known]
    panel.plot(at, [point[1] for point in known], label=name, markersize=5, **look)
    low, high = [min(values) for values in spread], [max(values) for values in spread]
    panel.fill_between(at, low, high, color=look["color"], alpha=0.15, linewidth=0)


def _scale(panel: Any, measure: Measure) -> None:
    """Memory from zero, all else by ratios; numbers as people write them."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    if measure is MEMORY:
        panel.set_ylim(bottom=0)
    else:
        panel.set_yscale("log")
        panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))


def _bars(pyplot: Any, picture: Picture, looks: dict[str, tuple[str, str]]) -> Any:
    """A panel per cell, each with a scale of its own; lengths begin at zero."""
    (measure,) = picture.measures
    across = min(ACROSS, len(picture.cells))
    down = math.ceil(len(picture.cells) / across)
    size = (2.2 + 2.9 * across, down * (0.7 + 0.3 * len(looks)))
    figure, panels = pyplot.subplots(down, across, figsize=size, squeeze=False, sharey=True)
    names = list(looks)
    for panel, cell in zip(panels.flat, picture.cells, strict=False):
        values = [middle(cell.servers.get(name, []), measure) for name in names]
        widths = [value if math.isfinite(value) else 0.0 for value in values]
        bars = panel.barh(names, widths, color=[looks[name][0] for name in names])
        panel.bar_label(bars, [number(value, ",.0f") for value in values], padding=3, fontsize=9)
        panel.set(title=cell.name, xlim=(0, 1.25 * max(*widths, 1e-9)))
        panel.tick_params(axis="y", length=0)
        panel.locator_params(axis="x", nbins=4)
        panel.grid(visible=False, axis="y")
    for panel in list(panels.flat)[len(picture.cells) :]:
        panel.set_visible(False)
    panels[0][0].invert_yaxis()
    figure.supxlabel(measure.label, fontsize=10)
    return figure
