"""Attention over packed sequences: every token sees the tokens of its own text."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from stelae.nn.batch import TokenBatch


def attend(qkv: Tensor, batch: TokenBatch, heads: int) -> Tensor:
    """Bidirectional softmax attention inside each sequence.

    Args:
        qkv: Queries, keys and values side by side, shape ``(T, 3 H)``.
        batch: Where each sequence lies.
        heads: Number of heads; each is ``H / heads`` wide.

    Returns:
        Shape ``(T, H)``.

    Source:
        Vaswani et al. 2017, section 3.2 (arXiv:1706.03762).
    """
    width = qkv.shape[1] // 3
    mixed = torch.empty_like(qkv[:, :width], memory_format=torch.contiguous_format)
    for group in batch.groups:
        shape = (group.count, group.length, 3, heads, width // heads)
        q, k, v = qkv[group.start : group.stop].view(shape).permute(2, 0, 3, 1, 4)
        context = functional.scaled_dot_product_attention(q, k, v)
        mixed[group.start : group.stop].view(group.count, group.length, heads, -1).copy_(
            context.transpose(1, 2)
        )
    return mixed
