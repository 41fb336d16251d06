"""Feed-forward blocks, with a gate or without."""

from __future__ import annotations

from torch import Tensor, nn

from stelae.nn.layers.linear import Activation, GatedLinear, Linear


class Mlp(nn.Module):
    """``W_down activation(W_up x)``.

    Args:
        width: Width of ``x``.
        inner: Width between.
        activation: Applied between.
        bias: Whether the layers have biases.
    """

    def __init__(
        self, width: int, inner: int, activation: Activation, *, bias: bool = True
    ) -> None:
        super().__init__()
        self.up = Linear(width, inner, bias=bias, activation=activation)
        self.down = Linear(inner, width, bias=bias)

    def add(self, x: Tensor, residual: Tensor) -> Tensor:
        """``residual`` plus the block of ``x``, shape ``(T, width)``."""
        return self.down.add(self.up(x), residual)


class GatedMlp(nn.Module):
    """``W_down (activation(W_gate x) * W_up x)``.

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
        self.gate_up = GatedLinear(width, inner, activation, bias=bias)
        self.down = Linear(inner, width, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Shape ``(T, width)`` in and out."""
        y: Tensor = self.down(self.gate_up(x))
        return y

    def add(self, x: Tensor, residual: Tensor) -> Tensor:
        """``residual`` plus the block of ``x``, shape ``(T, width)``."""
        return self.down.add(self.gate_up(x), residual)
