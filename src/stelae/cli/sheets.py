"""Tables of models in the layout that Xinference's users know: headings, dashes, rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

GAP = "  "

Row = Sequence[object]


def sheet(headings: Sequence[str], rows: Sequence[Row]) -> Iterator[str]:
    """The lines of a table; columns of numbers stand to the right.

    Args:
        headings: One for each column.
        rows: Values, as many as headings; ``None`` is left empty.
    """
    columns = [[row[place] for row in rows] for place in range(len(headings))]
    right = [_numbers(column) for column in columns]
    widths = [
        max(len(heading) + len(GAP), *(len(shown(value)) for value in column), 0)
        for heading, column in zip(headings, columns, strict=True)
    ]
    for texts in (headings, ["-" * width for width in widths], *rows):
        cells = zip(map(shown, texts), widths, right, strict=True)
        yield GAP.join(t.rjust(w) if to_right else t.ljust(w) for t, w, to_right in cells).rstrip()


def whole(number: float | None) -> float | int | None:
    """A number as people write it: 7 and not 7.0."""
    return int(number) if number is not None and number == int(number) else number


def _numbers(column: Row) -> bool:
    """Whether a column holds numbers, one at least, and nothing else."""
    held = [value for value in column if value is not None]
    return bool(held) and all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in held
    )


def shown(value: object) -> str:
    """A value on one line: nothing as no text, signs that a terminal obeys as others."""
    if isinstance(value, tuple):
        value = list(value)
    text = "" if value is None else str(value)
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
