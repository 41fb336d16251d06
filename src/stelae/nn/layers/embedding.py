"""Look-up tables for tokens, positions and segments."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Embedding(nn.Module):
    """Rows of a table by index.

    Args:
        rows: Size of the vocabulary, ``V``.
        width: Numbers per row.
    """

    def __init__(self, rows: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(rows, width), requires_grad=False)

    def forward(self, index: Tensor) -> Tensor:
        """Rows at ``index``, shape ``(T,)`` to ``(T, width)``."""
        return functional.embedding(index, self.weight)
