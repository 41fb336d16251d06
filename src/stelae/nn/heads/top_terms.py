"""A dense vector as a few of many learned features.

Source: Wen et al. 2025 (CSR, arXiv:2503.01776), section 3.1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from stelae.nn.heads.sparse import Weights, sparse
from stelae.nn.layers.linear import Linear

SMALLEST = 1e-5
"""Added to a standard deviation."""


class TopTermsHead(nn.Module):
    """The largest features of a vector; of those, the positive ones.

    Args:
        inputs: Width of the vector.
        outputs: Number of features.
        keep: How many are kept.
        standardize: Whether vectors first get mean 0 and standard deviation 1.
    """

    def __init__(self, inputs: int, outputs: int, keep: int, *, standardize: bool) -> None:
        super().__init__()
        self.centre = nn.Parameter(torch.empty(inputs), requires_grad=False)
        self.features = Linear(inputs, outputs)
        self.keep, self.standardize = keep, standardize

    def forward(self, x: Tensor) -> list[Weights]:
        """Shape ``(B, inputs)`` to the weights of each text."""
        if self.standardize:
            x = x - x.mean(dim=1, keepdim=True)
            x = x / (x.std(dim=1, keepdim=True) + SMALLEST)
        found = self.features(x - self.centre)
        values, places = found.topk(self.keep, dim=1)
        kept = torch.zeros_like(found).scatter_(1, places, values.relu())
        return [sparse(row) for row in kept]
