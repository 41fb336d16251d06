"""What is asked of a picture, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is looked for, for models that are told in words.

    Attributes:
        labels: The caller's.
        ids: Token ids: a row for each label, or one row with all of them.
        spans: Where each label stands in that one row; empty if each has its own.
    """

    labels: tuple[str, ...] = ()
    ids: tuple[tuple[int, ...], ...] = ()
    spans: tuple[tuple[int, int], ...] = ()

    @property
    def tokens(self) -> int:
        """Tokens that are read beside each picture."""
        return sum(map(len, self.ids))


NOTHING_ASKED = Asked()


@dataclass(frozen=True, slots=True)
class Boxes:
    """All that a model saw, sure or not, ``N`` of them.

    Attributes:
        scores: How sure it is, 0 to 1, shape ``(N,)``.
        kinds: Positions of their classes or labels, shape ``(N,)``.
        edges: Left, upper, right and lower edge as shares of the model's picture,
            shape ``(N, 4)``.
    """

    scores: Floats
    kinds: NDArray[np.int64]
    edges: Floats
