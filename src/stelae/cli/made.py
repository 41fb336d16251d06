"""Files that commands make: their format, their names, and how they come to be whole."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, TypeVar

from stelae.errors import InvalidInput

E = TypeVar("E", bound=StrEnum)

SAME = {"jpg": "jpeg", "jpe": "jpeg", "ogg": "opus", "oga": "opus", "txt": "text", "raw": "pcm"}
"""Other ends of names, and the formats that they mean."""


def place_of(output: Path | None, what: str, example: str) -> Path | None:
    """Where to write; ``None`` for stdout, which is no terminal.

    Args:
        output: As asked for; ``-`` is stdout too.
        what: What is written, for messages.
        example: A name of such a file.

    Raises:
        InvalidInput: It would go to a terminal, or to a folder that is not there.
    """
    if output is not None and str(output) != "-":
        if not output.parent.is_dir():
            raise InvalidInput(f"{output}: there is no folder {output.parent}", param="output")
        return output
    if sys.stdout.isatty():
        raise InvalidInput(
            f"{what} cannot be written to a terminal",
            param="output",
            hint=f"give a file with -o {example}, or let a program read it from stdout",
        )
    return None


def format_of(path: Path | None, asked: str | None, known: type[E], usual: E) -> E:
    """The format of a file: as asked for, or as its name ends.

    Args:
        path: The file; ``None`` for stdout.
        asked: By option, if at all.
        known: All formats.
        usual: That of stdout, and of names without an end.

    Raises:
        InvalidInput: The name ends otherwise.
    """
    if asked is not None:
        return known(asked)
    if path is None or not path.suffix:
        return usual
    end = path.suffix[1:].lower()
    try:
        return known(SAME.get(end, end))
    except ValueError:
        names = ", ".join(known)
        raise InvalidInput(
            f"{path}: names end with one of {names}, or --format says which it is", param="output"
        ) from None


@contextmanager
def whole(path: Path | None) -> Iterator[BinaryIO]:
    """A file to write, which is there when all is written, and not before.

    One that was there before is replaced. What goes to stdout, or to a device or a pipe that has
    a name, goes there at once.
    """
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    place = path.resolve()
    if place.exists() and not place.is_file():
        with place.open("wb") as file:
            yield file
        return
    beside = place.with_name(f"{place.name}.new")
    try:
        with beside.open("wb") as file:
            yield file
        beside.replace(place)
    finally:
        beside.unlink(missing_ok=True)
