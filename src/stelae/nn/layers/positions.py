"""Positions that do not simply count from 0."""

from __future__ import annotations

import torch
from torch import Tensor

from stelae.nn.batch import TokenBatch


def counted_positions(batch: TokenBatch, padding: int) -> Tensor:
    """Positions from ``padding + 1``, as fairseq counts them.

    A padding token that stands in a text is not counted and has position ``padding``.

    Args:
        batch: The texts.
        padding: Id of the padding token.

    Returns:
        Shape ``(T,)``.

    Source:
        Ott et al. 2019 (fairseq, arXiv:1904.01038), ``make_positions``.
    """
    counts = (batch.ids != padding).long()
    totals = torch.cumsum(counts, dim=0)
    before = (totals - counts)[batch.starts]
    return (totals - before[batch.segments]) * counts + padding
