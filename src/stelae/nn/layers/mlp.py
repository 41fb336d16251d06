"""Feed-forward blocks with a gate."""

from __future__ import annotations

from torch import Tensor, nn

from stelae.nn.layers.linear import ACTIVATIONS, Activation, Linear


class GatedMlp(nn.Module):
    """``W_down (activation(W_gate x) * W_up x)``; gate and up are one product.

    Args:
        width: Width of ``x``.
        inner: Width between.
        activation: Applied to the gate, the first half of ``gate_up``.
        bias: Whether the layers have biases.

    Source:
        Shazeer 2020 (arXiv:2002.05202).
    """

    def __init__(
        self, width: int, inner: int, activation: Activation, *, bias: bool = False
    ) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[activation]
        self.gate_up = Linear(width, 2 * inner, bias=bias)
        self.down = Linear(inner, width, bias=bias)

    def between(self, x: Tensor) -> Tensor:
        """The gated product, shape ``(T, width)`` to ``(T, inner)``."""
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        return self.activation(gate).mul_(up)

    def forward(self, x: Tensor) -> Tensor:
        """Shape ``(T, width)`` in and out."""
        y: Tensor = self.down(self.between(x))
        return y

    def add(self, x: Tensor, residual: Tensor) -> Tensor:
        """``residual`` plus the block of ``x``, shape ``(T, width)``."""
        return self.down.add(self.between(x), residual)
