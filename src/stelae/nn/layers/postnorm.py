"""Blocks that normalise after each addition, as the first encoders do.

Source: Vaswani et al. 2017 (arXiv:1706.03762), section 3.1.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from stelae.nn.batch import TokenBatch
from stelae.nn.layers.attention import ByDistance, attend, split
from stelae.nn.layers.linear import Activation, GatedLinear, Linear
from stelae.nn.layers.norm import LayerNorm


class PostNormLayer(nn.Module):
    """Attention, then a feed-forward block, each added to its input and normalised.

    Args:
        width: Width of a token vector, ``H``.
        heads: Number of attention heads.
        inner: Width between the two feed-forward layers.
        activation: Between them.
        eps: Of both norms.
        gated: Whether the activation is that of a gate, which has no bias.

    Attributes:
        united: Whether a kernel can run it as one with the others of its stack.
    """

    united: ClassVar[bool] = True
    up: Linear | GatedLinear

    def __init__(
        self,
        width: int,
        heads: int,
        inner: int,
        activation: Activation,
        eps: float,
        *,
        gated: bool = False,
    ) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = Linear(width, 3 * width)
        self.out = Linear(width, width)
        self.out_norm = LayerNorm(width, eps)
        if gated:
            self.up = GatedLinear(width, inner, activation)
        else:
            self.up = Linear(width, inner, activation=activation)
        self.down = Linear(inner, width)
        self.down_norm = LayerNorm(width, eps)

    def forward(self, x: Tensor, batch: TokenBatch, bias: ByDistance | None = None) -> Tensor:
        """Token vectors in and out, shape ``(T, H)``."""
        mixed = attend(*split(self.qkv(x), self.heads), batch, bias=bias)
        return self.after(mixed, x)

    def after(self, mixed: Tensor, x: Tensor) -> Tensor:
        """What follows attention: both additions, both norms; shape ``(T, H)``."""
        x = self.out_norm(self.out.add(mixed, x))
        normed: Tensor = self.down_norm(self.down.add(self.up(x), x))
        return normed
