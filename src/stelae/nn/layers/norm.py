"""Layer normalisation with statistics in fp32 whatever the trunk's dtype."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class LayerNorm(nn.Module):
    """``(x - mean) / sqrt(var + eps) * weight + bias`` over the last axis.

    torch's kernel accumulates mean and variance in fp32 for bf16 inputs too.

    Args:
        width: Size of the last axis.
        eps: Added to the variance.

    Source:
        Ba et al. 2016 (arXiv:1607.06450).
    """

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.shape, self.eps = (width,), eps
        self.weight = nn.Parameter(torch.empty(width), requires_grad=False)
        self.bias = nn.Parameter(torch.empty(width), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each row; shape ``(T, width)`` in and out."""
        return functional.layer_norm(x, self.shape, self.weight, self.bias, self.eps)
