"""Towers for texts: what CLIP and its kin share.

Source: Radford et al. 2021 (arXiv:2103.00020).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from torch import Tensor, nn

from stelae.nn.backbone import Backbone
from stelae.nn.batch import TokenBatch
from stelae.nn.layers.embedding import Embedding
from stelae.nn.layers.norm import LayerNorm
from stelae.nn.layers.tower import Sizes, TowerLayer


class TextTowerConfig(Protocol):
    """What the configs of all families state."""

    @property
    def vocab_size(self) -> int:
        """Rows of the table of words."""

    @property
    def max_position_embeddings(self) -> int:
        """Rows of the table of positions."""

    @property
    def num_hidden_layers(self) -> int:
        """How many layers there are."""


class TextTower(Backbone):
    """Embeddings of word and position, pre-norm layers, and a last norm.

    Args:
        config: Says how many there are of each.
        sizes: Of the layers.
    """

    def __init__(self, config: TextTowerConfig, sizes: Sizes) -> None:
        super().__init__(config)
        self.width = sizes.width
        self.words = Embedding(config.vocab_size, self.width)
        self.positions = Embedding(config.max_position_embeddings, self.width)
        self.layers = nn.ModuleList(TowerLayer(sizes) for _ in range(config.num_hidden_layers))
        self.norm = LayerNorm(self.width, sizes.eps)

    def states(self, batch: TokenBatch) -> Iterator[Tensor]:
        """Token vectors after the embeddings and after each layer, each ``(T, H)``."""
        x: Tensor = self.words(batch.ids) + self.positions(batch.positions)
        for layer in self.layers:
            yield x
            x = layer(x, batch)
        yield self.norm(x)
