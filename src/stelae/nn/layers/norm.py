"""Normalisation of rows, with statistics in fp32 whatever the trunk's dtype."""

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
        bias: Whether a bias is added.

    Source:
        Ba et al. 2016 (arXiv:1607.06450).
    """

    def __init__(self, width: int, eps: float, *, bias: bool = True) -> None:
        super().__init__()
        self.shape, self.eps = (width,), eps
        self.weight = nn.Parameter(torch.empty(width), requires_grad=False)
        self.bias = nn.Parameter(torch.empty(width), requires_grad=False) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each row; shape ``(..., width)`` in and out."""
        return functional.layer_norm(x, self.shape, self.weight, self.bias, self.eps)


class RmsNorm(nn.Module):
    """``x / sqrt(mean(x^2) + eps) * (offset + weight)`` over the last axis, in fp32.

    Args:
        width: Size of the last axis.
        eps: Added to the mean square.
        offset: Added to the weight; 1 where checkpoints store its difference from one.

    Source:
        Zhang and Sennrich 2019 (arXiv:1910.07467).
    """

    def __init__(self, width: int, eps: float, *, offset: float = 0.0) -> None:
        super().__init__()
        self.shape, self.eps, self.offset = (width,), eps, offset
        self.weight = nn.Parameter(torch.empty(width), requires_grad=False)

    @property
    def scale(self) -> Tensor:
        """What normalised rows are multiplied by, float32, shape ``(width,)``."""
        weight = self.weight.float()
        return weight + self.offset if self.offset else weight

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each row; shape ``(..., width)`` in and out."""
        return functional.rms_norm(x.float(), self.shape, self.scale, self.eps).to(x.dtype)
