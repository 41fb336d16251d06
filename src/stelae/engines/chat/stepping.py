"""The seam between the token loop and whatever runs a model: values and protocols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from torch import Tensor

BLOCK = 64
"""Tokens for which a memory grows at once."""


def blocks(tokens: int) -> int:
    """Tokens that a memory takes for so many, in whole blocks."""
    return -(-tokens // BLOCK) * BLOCK


class Memory(Protocol):
    """Keys and values of one text."""

    def release(self) -> None:
        """Give them back; the memory is used no more."""
        ...


M = TypeVar("M", bound=Memory)


@dataclass(frozen=True, slots=True)
class Share(Generic[M]):
    """What one text brings to a step.

    Attributes:
        ids: Its next tokens.
        start: Position of the first.
        memory: What came before.
        lora: The adapter that it runs with; ``None`` for the model itself.
        sight: The pictures of its conversation, if it has any.
    """

    ids: Sequence[int]
    start: int
    memory: M
    lora: Any = None
    sight: Any = None


class Stepper(Protocol[M]):
    """A model that runs some tokens of several texts at a time; used by one thread only."""

    @property
    def vocabulary(self) -> int:
        """Tokens that it knows."""
        ...

    @property
    def most(self) -> int:
        """Memories that there can be at once."""
        ...

    def memory(self) -> M:
        """A memory for one more text, empty."""
        ...

    def fork(self, memory: M, tokens: int) -> M:
        """A memory of its own that begins as another does; that one stays as it is.

        It takes no room before its first step.
        """
        ...

    def scores(self, shares: Sequence[Share[M]]) -> Tensor:
        """Scores of the token after each text's last, in fp32, shape ``(len(shares), V)``.

        They are valid until the next step.

        The tokens are kept in the memories. An error may leave these in any state: the
        texts of the step are given up.
        """
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...
