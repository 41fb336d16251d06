"""A language model's head cut down to the answers that a question allows.

Source: Nogueira et al. 2020 (arXiv:2003.06713), who rank by the logits of two words.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from stelae.nn.batch import TokenBatch
from stelae.nn.layers.linear import Linear


class ChoiceHead(nn.Module):
    """How much likelier one token is to come next than another, in fp32.

    Args:
        width: Width of a token vector.
        choices: 2, the wanted answer first; or 1, its logit alone.
        softcap: Bound ``c`` of the logits ``c tanh(logit / c)``; ``None`` for none.
    """

    def __init__(self, width: int, choices: int, *, softcap: float | None = None) -> None:
        super().__init__()
        self.out = Linear(width, choices, bias=False)
        self.softcap = softcap

    def forward(self, x: Tensor, batch: TokenBatch) -> Tensor:
        """Token vectors ``(T, H)`` to log-odds ``(B, 1)``, in packed order."""
        logits: Tensor = self.out(x[batch.starts + batch.lengths - 1].float())
        if self.softcap is not None:
            logits = torch.tanh(logits / self.softcap) * self.softcap
        return logits[:, :1] - logits[:, 1:].sum(dim=1, keepdim=True)
