"""Token vectors of several layers to one.

Source: sentence-transformers 6.0.1, ``WeightedLayerPooling``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class LayerPoolHead(nn.Module):
    """The mean of the layers from ``first`` on, by learned weights.

    Args:
        first: First layer that counts; 0 is the embeddings.
        layers: Number of layers of the transformer.
    """

    def __init__(self, first: int, layers: int) -> None:
        super().__init__()
        self.first = first
        count = layers + 1 - first
        self.layer_weights = nn.Parameter(torch.empty(count), requires_grad=False)

    def forward(self, states: Sequence[Tensor]) -> Tensor:
        """Token vectors of every layer, each ``(T, H)``, to one of the same shape, in fp32."""
        total = torch.zeros_like(states[0], dtype=torch.float32)
        for weight, state in zip(self.layer_weights, states[self.first :], strict=True):
            total += weight * state.float()
        return total / self.layer_weights.sum()
