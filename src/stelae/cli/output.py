"""What commands print: data on stdout as a table or JSON, all else on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

UNLIMITED = 100_000
"""Columns of a pipe or a file: nothing is wrapped or cut there."""

STYLES = {
    "ready": "green",
    "ok": "green",
    "loading": "yellow",
    "stopping": "yellow",
    "warning": "yellow",
    "failed": "bold red",
    "missing": "bold red",
    "available": "dim",
    "no": "dim",
}
"""Words that are coloured in a terminal, where a whole cell consists of one."""


def console(stream: TextIO) -> Console:
    """A console that writes plain text unless ``stream`` is a terminal.

    ``NO_COLOR`` is obeyed; text is never read as markup.
    """
    width = None if stream.isatty() else UNLIMITED
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)


SIGNS = {code: "\ufffd" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}
"""Signs that a terminal obeys, which no model may write to it, and what is shown for them."""


@dataclass(frozen=True, slots=True)
class Output:
    """Where a command says things.

    Attributes:
        json: Data is printed as JSON.
        quiet: Notes are not printed; data, warnings and errors are.
    """

    json: bool = False
    quiet: bool = False

    def document(self, value: Any) -> None:
        """Print one JSON document, indented for a terminal and on one line otherwise."""
        indent = 2 if sys.stdout.isatty() else None
        sys.stdout.write(json.dumps(value, indent=indent, ensure_ascii=False) + "\n")
        sys.stdout.flush()

    def table(self, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
        """Print rows under their column names; numbers stand to the right."""
        self._print(board(rows, columns, terminal=sys.stdout.isatty()))

    def facts(self, values: Mapping[str, Any]) -> None:
        """Print names and values, one pair a line."""
        self.grid([(Text(name, style="dim"), value) for name, value in values.items()])

    def grid(self, rows: Sequence[Sequence[Any]]) -> None:
        """Print rows of any values without a head; the last column takes what is left."""
        table = Table.grid(padding=(0, 2))
        for row in rows[:1]:
            for number, _ in enumerate(row, start=1):
                table.add_column(no_wrap=number < len(row), overflow="fold")
        for row in rows:
            table.add_row(*(value if isinstance(value, Text) else cell(value) for value in row))
        self._print(table)

    def line(self, text: str) -> None:
        """Print a line of data as it stands."""
        sys.stdout.write(text + "\n")

    def note(self, text: str) -> None:
        """Tell people something on stderr."""
        if not self.quiet:
            sys.stderr.write(text + "\n")

    def gauged(self, wanted: bool | None) -> bool:
        """Whether a bar on stderr shows the progress.

        Args:
            wanted: As asked for; ``None`` for a bar in a terminal only.
        """
        return wanted if wanted is not None else sys.stderr.isatty() and not self.quiet

    def warn(self, text: str) -> None:
        """Tell people on stderr of something that they should look at."""
        console(sys.stderr).print(Text(f"warning: {text}", style="yellow"), soft_wrap=True)

    def _print(self, table: Table) -> None:
        out = console(sys.stdout)
        if sys.stdout.isatty():
            out.print(table)
            return
        with out.capture() as captured:
            out.print(table)
        # A pipe gets no padding: what ends a line is the last word of its last column.
        sys.stdout.writelines(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def board(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, terminal: bool) -> Table:
    """Rows under their column names; numbers stand to the right.

    Args:
        rows: Values by column.
        columns: Their order.
        terminal: Whether there is a line below the names.
    """
    table = Table(box=SIMPLE_HEAD if terminal else None, pad_edge=False)
    for name in columns:
        number = bool(rows) and all(isinstance(row.get(name), int | float) for row in rows)
        table.add_column(name.upper(), justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(cell(row.get(name)) for name in columns))
    return table


def printable(text: str) -> str:
    """What a model wrote, as stdout gets it: a terminal none of the signs that it obeys."""
    return text.translate(SIGNS) if sys.stdout.isatty() else text


def cell(value: Any) -> Text:
    """One value as people read it; nothing is shown as a dash."""
    match value:
        case None | () | []:
            return Text("-", style="dim")
        case bool():
            value = "yes" if value else "no"
        case float():
            value = f"{value:,.3g}" if abs(value) < 10 else f"{value:,.1f}"
        case int():
            value = f"{value:,}"
        case list() | tuple():
            value = ", ".join(map(str, value))
        case _:
            value = str(value)
    return Text(value, style=STYLES.get(value, ""))


def size(count: float) -> str:
    """A number of bytes as people say it."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(count) < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
