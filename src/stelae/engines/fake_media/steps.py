"""What an engine without a model does for a call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from stelae.catalog.spec import ModelSpec

C = TypeVar("C")
P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Steps(Generic[C, P]):
    """What is done for a call.

    Attributes:
        text: Where the words stand that break it.
        of: The pieces of each step; the last has the usage.
    """

    text: Callable[[C], str]
    of: Callable[[ModelSpec, C], Iterator[list[P]]]
