"""Each token mixed with its neighbours in the text."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from stelae.nn.batch import TokenBatch
from stelae.nn.layers.linear import Activation, Linear


class Convolution(nn.Module):
    """A convolution along each text of a batch; beyond its ends there are zeros.

    Args:
        width: Width of a token vector, in and out.
        size: Tokens that one output sees, itself in the middle; odd.
        activation: Applied to the result.
    """

    def __init__(self, width: int, size: int, activation: Activation) -> None:
        super().__init__()
        self.reach = size // 2
        self.mix = Linear(size * width, width, activation=activation)

    def forward(self, x: Tensor, batch: TokenBatch) -> Tensor:
        """Shape ``(T, width)`` in and out."""
        mixed: Tensor = self.mix(torch.cat([self._seen(x, batch, by) for by in self._shifts()], 1))
        return mixed

    def _shifts(self) -> range:
        return range(-self.reach, self.reach + 1)

    def _seen(self, x: Tensor, batch: TokenBatch, by: int) -> Tensor:
        """For each token the one ``by`` places further on, zero beyond the ends of its text."""
        places = batch.positions + by
        inside = (places >= 0) & (places < batch.lengths[batch.segments])
        return torch.where(inside[:, None], x.roll(-by, 0), 0)


def flat_kernel(kernel: Tensor) -> Tensor:
    """The kernel of a convolution as a linear layer's weight.

    Args:
        kernel: Shape ``(outputs, inputs, size)``.

    Returns:
        Shape ``(outputs, size * inputs)``.
    """
    return kernel.transpose(1, 2).flatten(1).contiguous()
