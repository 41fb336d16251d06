"""Steps from vector to vector, in fp32."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from stelae.nn.layers.linear import Linear


def _identity(x: Tensor) -> Tensor:
    return x


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "Identity": _identity,
    "Tanh": torch.tanh,
    "ReLU": functional.relu,
    "GELU": functional.gelu,
    "Sigmoid": torch.sigmoid,
    "SiLU": functional.silu,
}
"""Activations of ``Dense`` modules by their class name in ``torch.nn``."""


class DenseHead(nn.Module):
    """A linear layer with its activation.

    Args:
        inputs: Width of the pooled vector.
        outputs: Width of the result.
        bias: Whether it has a bias.
        activation: Class name in ``torch.nn``; one of ``ACTIVATIONS``.
        residual: Whether its input is added to its result; if the widths differ, through
            a matrix.
    """

    def __init__(
        self, inputs: int, outputs: int, *, bias: bool, activation: str, residual: bool = False
    ) -> None:
        super().__init__()
        self.linear = Linear(inputs, outputs, bias=bias)
        self.activation = ACTIVATIONS[activation]
        self.beside: nn.Module | None = None
        if residual:
            same = inputs == outputs
            self.beside = nn.Identity() if same else Linear(inputs, outputs, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Shape ``(B, inputs)`` to ``(B, outputs)``."""
        y = self.activation(self.linear(x))
        return y if self.beside is None else y + self.beside(x)


class CutHead(nn.Module):
    """The first numbers of a vector.

    Args:
        width: How many.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, x: Tensor) -> Tensor:
        """Shape ``(B, D)`` to ``(B, width)``."""
        return x[:, : self.width]


class NormalizeHead(nn.Module):
    """Unit length; a zero vector stays zero."""

    def forward(self, x: Tensor) -> Tensor:
        """Shape ``(B, D)`` in and out."""
        return functional.normalize(x, dim=-1)
