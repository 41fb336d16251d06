"""Small pieces of Markdown."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence


def joined(*parts: str) -> str:
    """Parts with an empty line between them."""
    return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells may hold anything but must mean one line."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(cell, line))} |" for line in lines)


def cell(text: str) -> str:
    """A text as one cell of a table."""
    return " ".join(text.replace("|", "\\|").split())


def code(value: object) -> str:
    """A value in code letters; nothing stays nothing."""
    text = str(value)
    return f"`{text}`" if text else ""


def codes(values: Iterable[object]) -> str:
    """Several values in code letters."""
    return ", ".join(map(code, values))


def block(text: str, language: str = "text") -> str:
    """A block of code."""
    return f"```{language}\n{text.rstrip()}\n```"


def prose(text: str) -> str:
    """A docstring's words: code in single backticks, on one line."""
    return " ".join(re.sub(r"``(.*?)``", r"`\1`", text).split())


def first_line(thing: object) -> str:
    """What a docstring says first."""
    return prose((inspect.getdoc(thing) or "").partition("\n\n")[0])


def anchor(title: str) -> str:
    """The link to a heading."""
    return "#" + re.sub(r"[^a-z0-9 _-]", "", title.lower()).replace(" ", "-")
