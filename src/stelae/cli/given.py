"""What commands are given on stdin."""

from __future__ import annotations

import sys

from stelae.cli.output import Output
from stelae.errors import InvalidInput


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
