"""What goes to the device for one text, and what comes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stelae.types import OutputType, Role, Truncate

Row = NDArray[np.float32]
"""One vector, shape ``(D,)``."""

Matrix = NDArray[np.float32]
"""One vector per token, shape ``(T, D)``."""

DENSE = (OutputType.DENSE,)


class Adapted(Protocol):
    """A loaded adapter, which only its engine looks into.

    Attributes:
        digest: Identifies its numbers.
    """

    @property
    def digest(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Features:
    """One text, or one pair of texts, ready to run.

    Attributes:
        ids: Token ids, special tokens included.
        prompt: Tokens at the start that belong to the prompt, special ones included.
        truncated: Whether something was cut.
        outputs: What is wanted; nothing for the scores of a pair.
        role: The side of the search that the text stands on.
        second: First token of the second text of a pair; ``None`` for a single text.
        seen: Tokens that others see, from the start; ``None`` for all.
        lora: The adapter that it runs with; ``None`` for the model itself.
    """

    ids: NDArray[np.int32]
    prompt: int = 0
    truncated: bool = False
    outputs: tuple[OutputType, ...] = DENSE
    role: Role | None = None
    second: int | None = None
    seen: int | None = None
    lora: Adapted | None = None


@dataclass(slots=True)
class Output:
    """What the device made of one text; only what was wanted is set.

    Attributes:
        dense: Its vector, before a closing ``Normalize``.
        terms: Ids of terms, ascending, and their weights.
        vectors: Vectors of the tokens that count.
        scores: Logits of the head.
    """

    dense: Row | None = None
    terms: tuple[NDArray[np.int32], Row] | None = None
    vectors: Matrix | None = None
    scores: Row | None = None


class Tokenizer(Protocol):
    """Texts to ids, without special tokens and without a limit of its own.

    Attributes:
        vocabulary: Number of ids.
        prefix: Special tokens before a text.
        suffix: Special tokens after a text.
        middle: Special tokens between the two texts of a pair; ``prefix`` and
            ``suffix`` stand around them.
        typed: Whether the second text of a pair, with the tokens after it, is told
            apart by token type ids.
        surplus: Tokens that a text may hold and the model has no vector for, by id.
    """

    vocabulary: int
    prefix: list[int]
    suffix: list[int]
    middle: list[int]
    typed: bool
    surplus: dict[int, str]

    def read(self, texts: Sequence[str], room: int, truncate: Truncate) -> Sequence[Sequence[int]]:
        """Ids of each text.

        Of a text that is surely longer than ``room``, only the part that
        ``truncate`` keeps need be read, and more than ``room`` ids of it.
        """
        ...


class TextModel(Protocol):
    """A loaded model for texts."""

    def run(self, batch: Sequence[Features]) -> Sequence[Output]:
        """What is wanted of each entry, in order."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


AnyArray = NDArray[Any]
