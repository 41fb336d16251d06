"""How towers for texts and pictures pool, each in the way of its own class."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from stelae.nn.batch import TokenBatch
from stelae.nn.layers.linear import Linear
from stelae.nn.layers.norm import LayerNorm
from stelae.nn.layers.tower import Sizes


class EndToken(nn.Module):
    """The vector of the first token that ends a text.

    Args:
        token: Id of that token; ``None`` for the largest id in each text, as the
            first checkpoints of CLIP are read.
    """

    def __init__(self, token: int | None) -> None:
        super().__init__()
        self.token = token

    def forward(self, x: Tensor, batch: TokenBatch) -> Tensor:
        """Shape ``(T, H)`` to ``(B, H)``; a text without that token gives its first vector."""
        ids, segments = batch.ids, batch.segments
        if self.token is None:
            largest = ids.new_zeros(batch.size).scatter_reduce_(0, segments, ids, "amax")
            ends = ids == largest[segments]
        else:
            ends = ids == self.token
        nowhere = len(ids)
        places = torch.arange(nowhere, device=ids.device).masked_fill(~ends, nowhere)
        first = batch.starts.new_full((batch.size,), nowhere)
        first = first.scatter_reduce_(0, segments, places, "amin")
        return x[torch.where(first == nowhere, batch.starts, first)]


class FirstToken(nn.Module):
    """The normalised vector of the first token.

    Args:
        width: Width of a token vector.
        eps: Added to the variance.
    """

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.norm = LayerNorm(width, eps)

    def forward(self, x: Tensor, batch: TokenBatch) -> Tensor:
        """Shape ``(T, H)`` to ``(B, H)``."""
        y: Tensor = self.norm(x[batch.starts])
        return y


class LastToken(nn.Module):
    """A linear layer on the vector of the last token.

    Args:
        width: Width of a token vector.
        outputs: Width of the result.
    """

    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        self.head = Linear(width, outputs)

    def forward(self, x: Tensor, batch: TokenBatch) -> Tensor:
        """Shape ``(T, H)`` to ``(B, outputs)``."""
        y: Tensor = self.head(x[batch.starts + batch.lengths - 1])
        return y


class AttentionPool(nn.Module):
    """A learned vector looks at all tokens of a picture; then a feed-forward block.

    Args:
        sizes: Of the tower.

    Source:
        Zhai et al. 2022 (arXiv:2106.04560).
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        width = sizes.width
        self.heads = sizes.heads
        self.probe = nn.Parameter(torch.empty(1, 1, width), requires_grad=False)
        self.qkv = Linear(width, 3 * width)
        self.out = Linear(width, width)
        self.norm = LayerNorm(width, sizes.eps)
        self.mlp = sizes.mlp()

    def forward(self, x: Tensor, batch: TokenBatch) -> Tensor:
        """Shape ``(T, H)`` to ``(B, H)``."""
        y: Tensor = self.out(self._look(x, batch))
        return self.mlp.add(self.norm(y), y)

    def _look(self, x: Tensor, batch: TokenBatch) -> Tensor:
        width, attention = x.shape[1], functional.scaled_dot_product_attention
        q = self.qkv(self.probe[0])[:, :width].view(1, self.heads, 1, -1)
        k, v = self.qkv(x)[:, width:].view(len(x), 2, self.heads, -1).unbind(1)
        looks = []
        for group in batch.groups:
            shape = (group.count, group.length, self.heads, -1)
            k_, v_ = (part[group.start : group.stop].view(shape).transpose(1, 2) for part in (k, v))
            look = attention(q.expand(group.count, -1, -1, -1), k_, v_)
            looks.append(look.reshape(group.count, width))
        return torch.cat(looks)
