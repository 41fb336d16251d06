"""What commands are given on stdin."""

from __future__ import annotations

import sys

from stelae.cli.output import Output
from stelae.errors import InvalidInput


def text_of(given: str | None, out: Output, what: str) -> str:
    """A text from the command line, or all of stdin.

    Args:
        given: As an argument, if at all.
        out: Where a person is told that it is awaited.
        what: What it is, such as ``prompt``.

    Raises:
        InvalidInput: There is none, or it is not UTF-8.
    """
    if given is None and sys.stdin.isatty():
        out.note(f"reading the {what} from the terminal; Ctrl-D ends")
    try:
        text = sys.stdin.read().strip() if given is None else given
    except UnicodeDecodeError as error:
        raise InvalidInput(f"stdin is not UTF-8: {error}", param=what) from error
    if not text:
        raise InvalidInput(f"there is no {what}: give it as an argument or on stdin", param=what)
    return text


def read_lines(out: Output, what: str) -> list[str]:
    """The texts on stdin, one a line; blank lines are none.

    Args:
        out: Where a person is told that they are awaited.
        what: What they are, such as ``documents``.

    Raises:
        InvalidInput: There are none, or they are not UTF-8.
    """
    if sys.stdin.isatty():
        out.note(f"reading {what} from the terminal, one a line; Ctrl-D ends")
    try:
        found = [line for line in sys.stdin.read().splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise InvalidInput(f"stdin is not UTF-8: {error}", param=what) from error
    if not found:
        raise InvalidInput(
            f"there are no {what}: give some as arguments, or as lines on stdin", param=what
        )
    return found
