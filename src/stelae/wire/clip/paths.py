"""Access paths: which documents of a nested array are meant.

``@r`` is the array itself, ``@m`` the matches of its documents, ``@c`` their chunks; letters after
one another go deeper (``@cm``: the matches of the chunks), a comma adds another path (``@r,m``),
and a slice after a letter takes some of what is there (``@r[:3]m[0]``, or ``@r:3m0``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast

from stelae.errors import InvalidInput

Step = Literal["r", "m", "c"]

_SLICE = r"\[-?\d*(?::-?\d*){0,2}\]|-?\d*(?::-?\d*){0,2}"
_STEP = re.compile(rf"([rmc])({_SLICE})")
_PATH = re.compile(rf"(?:[rmc](?:{_SLICE}))+")


@dataclass(frozen=True, slots=True)
class Move:
    """One letter of a path, and which of what it leads to is taken."""

    step: Step
    part: slice


def parsed(text: str) -> list[list[Move]]:
    """The moves of each path in a text like ``r,m[:2]``, without its ``@``.

    Raises:
        InvalidInput: It is no access path.
    """
    paths = "".join(text.split()).split(",")
    for path in paths:
        if not _PATH.fullmatch(path):
            raise InvalidInput(
                f"{'@' + text!r} is no access path",
                hint="'@r' means the documents, '@m' their matches, '@c' their chunks, "
                "'@r,m' both, '@cm' the matches of the chunks",
            )
    return [
        [Move(cast(Step, step), _slice(part)) for step, part in _STEP.findall(path)]
        for path in paths
    ]


def _slice(text: str) -> slice:
    """``[1:3]``, ``1:3``, ``2`` and nothing, which means all."""
    bounds = [int(part) if part else None for part in text.strip("[]").split(":")]
    if len(bounds) > 1:
        return slice(*bounds)
    (only,) = bounds
    if only is None:
        return slice(None)
    return slice(only, only + 1 or None)
