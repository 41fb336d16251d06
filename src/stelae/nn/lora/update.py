"""Adapters at work: beside each other, and beside none, in one packed batch.

Source: Hu et al. 2021 (arXiv:2106.09685); several at once: Sheng et al. 2023
(arXiv:2311.03285).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from stelae.nn.layers.linear import Adaptable, Linear


@dataclass(frozen=True, slots=True, eq=False)
class LowRank:
    """Adds ``x A^T B^T`` to a layer's product.

    Attributes:
        down: Multiplies with ``A``, shape ``(R, inputs)``; where layers are fused, theirs
            above each other.
        up: Multiplies with ``B`` and its scale, shape ``(outputs, R)``.
    """

    down: Linear
    up: Linear

    def whole(self, x: Tensor, y: Tensor) -> Tensor:
        """From inputs ``(N, inputs)`` and products ``(N, outputs)`` to new products."""
        return self.up.add(self.down(x), y)

    def some(self, x: Tensor, y: Tensor, rows: Tensor) -> None:
        """Change some rows of the products."""
        y.index_add_(0, rows, self.up(self.down(x[rows])))


@dataclass(frozen=True, slots=True, eq=False)
class Instead:
    """Takes the place of a layer.

    Attributes:
        layer: What multiplies instead; its activation stays that of the layer.
    """

    layer: Linear

    def whole(self, x: Tensor, y: Tensor) -> Tensor:
        """From inputs ``(N, inputs)`` to products ``(N, outputs)``."""
        del y
        made: Tensor = self.layer(x)
        return made

    def some(self, x: Tensor, y: Tensor, rows: Tensor) -> None:
        """Replace some rows of the products."""
        y[rows] = self.layer(x[rows])


Share = LowRank | Instead
"""What an adapter does in one layer."""


@dataclass(frozen=True, slots=True, eq=False)
class Lora:
    """A loaded adapter.

    Attributes:
        digest: Identifies its numbers.
        layers: What it does in each layer that it changes.
    """

    digest: str
    layers: Mapping[Adaptable, Share]


@dataclass(frozen=True, slots=True)
class Rows:
    """The part of a batch that runs with one adapter.

    Attributes:
        by_size: Which rows that is, of a matrix with one row per token and of one with one
            row per text; empty for all rows. Of texts of one token each the two agree.
    """

    by_size: Mapping[int, Tensor]


EVERY = Rows({})


class Packed(Protocol):
    """Texts whose tokens lie end to end."""

    @property
    def ids(self) -> Tensor:
        """Their tokens, shape ``(T,)``."""
        ...

    @property
    def segments(self) -> Tensor:
        """The text of each token, shape ``(T,)``."""
        ...


class Mixed:
    """What the adapters of a batch do in one layer.

    Args:
        shares: Of each adapter that changes the layer, and where.
    """

    def __init__(self, shares: Sequence[tuple[Rows, Share]]) -> None:
        self._shares = shares

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """From inputs ``(N, inputs)`` and products ``(N, outputs)`` to new products."""
        for rows, share in self._shares:
            if rows is EVERY:
                y = share.whole(x, y)
            else:
                share.some(x, y, rows.by_size[len(x)])
        return y


@contextmanager
def adapted(batch: Packed, loras: Sequence[Lora | None]) -> Iterator[None]:
    """Let each text run with its adapter while this lasts.

    Args:
        batch: The texts.
        loras: Their adapters, in packed order; ``None`` for texts that run without.
    """
    present = dict.fromkeys(filter(None, loras))
    shares: dict[Adaptable, list[tuple[Rows, Share]]] = {}
    for lora in present:
        rows = _rows(batch, [other is lora for other in loras])
        for layer, share in lora.layers.items():
            shares.setdefault(layer, []).append((rows, share))
    for layer, some in shares.items():
        layer.update = Mixed(some)
    try:
        yield
    finally:
        for layer in shares:
            layer.update = None


def _rows(batch: Packed, own: list[bool]) -> Rows:
    if all(own):
        return EVERY
    mask = torch.tensor(own, device=batch.ids.device)
    texts, tokens = mask.nonzero()[:, 0], mask[batch.segments].nonzero()[:, 0]
    return Rows({len(own): texts, len(batch.ids): tokens})
