"""From token vectors to one vector per text, in fp32.

Source: the modes of ``sentence_transformers``' ``Pooling`` module, whose numbers
these reproduce.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from stelae.catalog.operations import Pooling
from stelae.nn.batch import TokenBatch
from stelae.nn.kernels import rows

Pooler = Callable[[Tensor, TokenBatch], Tensor]
"""From token vectors ``(T, H)`` and their batch to one vector per text, ``(B, H)``."""


def _cls(x: Tensor, batch: TokenBatch) -> Tensor:
    if batch.skips is None:
        return x[batch.starts].float()
    # The first token that counts; a text that is all prompt falls back to its very first.
    return x[batch.starts + batch.skips * (batch.skips < batch.lengths)].float()


def _last_token(x: Tensor, batch: TokenBatch) -> Tensor:
    last = x[batch.starts + batch.lengths - 1].float()
    return last if batch.skips is None else last * (batch.skips < batch.lengths)[:, None]


def _sum(x: Tensor, batch: TokenBatch) -> Tensor:
    x, segments = _kept(x.float(), batch), _kept(batch.segments, batch)
    return torch.zeros(batch.size, x.shape[1], device=x.device).index_add_(0, segments, x)


def _mean(x: Tensor, batch: TokenBatch) -> Tensor:
    return rows.means(x, batch) if rows.averages(x) else _sum(x, batch) / _counts(batch)


def _mean_sqrt_len(x: Tensor, batch: TokenBatch) -> Tensor:
    return _sum(x, batch) / _counts(batch).sqrt()


def _weighted_mean(x: Tensor, batch: TokenBatch) -> Tensor:
    weights = (batch.positions + 1).float()[:, None]
    return _sum(x.float() * weights, batch) / _sum(weights, batch).clamp(min=1e-9)


def _max(x: Tensor, batch: TokenBatch) -> Tensor:
    x, segments = _kept(x.float(), batch), _kept(batch.segments, batch)
    lowest = torch.full((batch.size, x.shape[1]), -torch.inf, device=x.device)
    return lowest.scatter_reduce_(0, segments[:, None].expand_as(x), x, "amax")


def _kept(x: Tensor, batch: TokenBatch) -> Tensor:
    """Rows of the tokens that count: all but the prompts' where those are left out."""
    if batch.skips is None:
        return x
    return x[batch.positions >= batch.skips[batch.segments]]


def _counts(batch: TokenBatch) -> Tensor:
    """Tokens that count in each text, shape ``(B, 1)``."""
    counts = batch.lengths if batch.skips is None else batch.lengths - batch.skips
    return counts[:, None].clamp(min=1e-9)


POOLINGS: dict[Pooling, Pooler] = {
    Pooling.CLS: _cls,
    Pooling.MEAN: _mean,
    Pooling.MAX: _max,
    Pooling.MEAN_SQRT_LEN: _mean_sqrt_len,
    Pooling.WEIGHTED_MEAN: _weighted_mean,
    Pooling.LAST_TOKEN: _last_token,
}


class PoolingHead(nn.Module):
    """One vector per text; several modes are put side by side.

    Args:
        modes: At least one.
    """

    def __init__(self, modes: tuple[Pooling, ...]) -> None:
        super().__init__()
        self.modes = modes

    def forward(self, x: Tensor, batch: TokenBatch) -> Tensor:
        """Pool token vectors.

        Args:
            x: Token vectors, shape ``(T, H)``.
            batch: Where each text lies.

        Returns:
            Shape ``(B, H * len(modes))``, fp32, in packed order.
        """
        pooled = [POOLINGS[mode](x, batch) for mode in self.modes]
        return pooled[0] if len(pooled) == 1 else torch.cat(pooled, dim=1)
