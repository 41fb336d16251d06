"""What a model of one kind is: how its transformer is used, and what its answers are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from stelae.catalog.operations import Module
from stelae.catalog.reading import Use
from stelae.engines.text.features import Features, Output
from stelae.types import Role

Rows = Callable[[dict[str, Any], Sequence[Features]], list[Output]]
"""Of the library's dictionary after the last module, what belongs to each text."""

Steps = tuple[Module, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of model.

    Attributes:
        use: What of the transformer is used.
        chains: Steps after it, for each side of a search.
        rows: Reads the answers.
        numbers: Numbers that the transformer makes of each token, if they are so many that
            they must be few tokens at once.
    """

    use: Use
    chains: dict[Role | None, Steps]
    rows: Rows
    numbers: int = 1
