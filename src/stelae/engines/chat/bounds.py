"""What a chat template may use up while it runs: steps, and letters that it makes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from jinja2.exceptions import SecurityError

STEPS = 200_000
"""Turns of loops, and calls, of one run."""

LETTERS = 8 << 20
"""Longest text that a template may make, and the longest of any list or the like, written out."""

ELEMENT = 16
"""Letters as which an element of a list counts."""

MADE = 16 * LETTERS
"""Letters of all texts and lists that one run may make, one after the other."""

BITS = 1 << 12
"""Digits of the largest whole number, in base 2."""

WIDE = re.compile(r"\d{5}|\{[^{}]*\{")
"""Widths of many digits in a form that is filled in, or such as are filled in themselves."""

LARGE = 1 << 12
"""Largest number that a method or a filter of a text may be given."""


class Bounds:
    """What one run has used up."""

    def __init__(self) -> None:
        self._left = STEPS
        self._made = MADE

    def make(self, letters: int) -> None:
        """Use up letters.

        Raises:
            SecurityError: There are no more.
        """
        self._made -= letters
        if self._made < 0:
            raise SecurityError(f"it makes texts of more than {MADE} letters in all")

    def count(self, steps: int = 1) -> None:
        """Use up steps.

        Raises:
            SecurityError: There are no more.
        """
        self._left -= steps
        if self._left < 0:
            raise SecurityError(f"it takes more than {STEPS} steps")

    def counted(self, values: Iterable[Any]) -> list[Any]:
        """The values of a loop, each a step."""
        found = []
        for value in values:
            self.count()
            found.append(value)
        return found


_RUN: ContextVar[Bounds] = ContextVar("stelae_template_run")
"""Bounds of the run under way."""


@contextmanager
def bounded() -> Iterator[None]:
    """Within it one run is counted."""
    token = _RUN.set(Bounds())
    try:
        yield
    finally:
        _RUN.reset(token)


def run() -> Bounds:
    """Bounds of the run under way."""
    return _RUN.get()


def counted(values: Iterable[Any]) -> list[Any]:
    """The values of a loop, each a step of this run."""
    return run().counted(values)


def small(value: Any) -> Any:
    """A value, if it is not too large; it counts as made in this run.

    Raises:
        SecurityError: It is.
    """
    if isinstance(value, str):
        bound(len(value))
        run().make(len(value))
    elif isinstance(value, list | tuple | dict):
        run().make(_weighed(value))
    return value


def sliced(value: Any) -> Any:
    """Part of a value; only that of a text is a new one of any size."""
    return small(value) if isinstance(value, str) else value


def _weighed(value: Any) -> int:
    """What the elements of a list or the like count, those of inner ones too.

    Raises:
        SecurityError: Written out, it would be too long.
    """
    letters = elements = 0
    left = [value]
    while left:
        inner = left.pop()
        elements += 1
        if isinstance(inner, str):
            letters += len(inner)
        elif isinstance(inner, dict):
            left += [*inner, *inner.values()]
        elif isinstance(inner, list | tuple):
            left += inner
        bound(letters + ELEMENT * (elements + len(left)))
    return ELEMENT * elements


def bound(letters: int) -> None:
    """Refuse a text of so many letters, if they are too many.

    Raises:
        SecurityError: They are.
    """
    if letters > LETTERS:
        raise SecurityError(f"it makes a text of more than {LETTERS} letters")


def check_call(function: Any, arguments: Iterable[Any]) -> None:
    """Refuse to call a method of a text that could make a huge one of it.

    Raises:
        SecurityError: It could.
    """
    given = list(arguments)
    if any(isinstance(v, int) and abs(v) > LARGE for v in given):
        raise SecurityError(f"it uses a number over {LARGE}")
    function = getattr(function, "__wrapped__", function)  # the sandbox has a `format` of its own
    own = getattr(function, "__self__", None)
    if isinstance(own, str):
        _check_method(own, getattr(function, "__name__", ""), given)


def _check_method(own: str, name: str, given: list[Any]) -> None:
    if name == "translate" or (name in {"format", "format_map"} and WIDE.search(own)):
        raise SecurityError(f"it uses {name!r} in a way that may make a huge text")
    sizes = [len(v) for v in given if isinstance(v, str | list | tuple)]
    if name == "expandtabs":
        sizes = [v for v in given if isinstance(v, int)]
    if name in {"replace", "join", "format", "format_map", "expandtabs"}:
        bound((len(own) + 1) * max([1, *sizes]))


def joined(pieces: Iterator[str]) -> str:
    """All that a template writes.

    Raises:
        SecurityError: It is too long.
    """
    made, size = [], 0
    for piece in pieces:
        size += len(piece)
        if size > LETTERS:
            raise SecurityError(f"it writes more than {LETTERS} letters")
        made.append(piece)
    return "".join(made)
