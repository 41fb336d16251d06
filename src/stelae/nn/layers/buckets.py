"""A learned number for each distance between two tokens, added to their score.

Near distances have a bucket each; far ones share buckets that grow with the distance.

Source: Raffel et al. 2020 (arXiv:1910.10683), section 2.1; the borders of the buckets
are those of its published code.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from stelae.nn.batch import TokenBatch
from stelae.nn.layers.attention import Bias


def relative_buckets(
    length: int,
    buckets: int,
    max_distance: int,
    bidirectional: bool = True,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Bucket of each pair of tokens.

    Args:
        length: Tokens of the text, ``L``.
        buckets: Number of buckets.
        max_distance: From here on, all distances share the last bucket.
        bidirectional: Whether later tokens have half of the buckets; otherwise they
            count as distance 0.
        device: Where the result goes.

    Returns:
        Integers ``(L, L)``: the row is the token that looks, the column the one it sees.
    """
    distances = torch.arange(1 - length, length, device=device)
    return _square(_bucket(distances, buckets, max_distance, bidirectional), length)


def _bucket(distances: Tensor, buckets: int, max_distance: int, bidirectional: bool) -> Tensor:
    """Bucket of each distance (place seen minus place that looks)."""
    if not bidirectional:
        return _sized((-distances).clamp(min=0), buckets, max_distance)
    half = buckets // 2
    return _sized(distances.abs(), half, max_distance) + half * (distances > 0)


def _sized(distances: Tensor, buckets: int, max_distance: int) -> Tensor:
    """One bucket each up to half of them, then logarithmic."""
    exact = buckets // 2
    growth = torch.log(distances.clamp(min=1).float() / exact) / math.log(max_distance / exact)
    far = (exact + (growth * (buckets - exact)).long()).clamp(max=buckets - 1)
    return torch.where(distances < exact, distances, far)


def _square(by_distance: Tensor, length: int) -> Tensor:
    """What belongs to each distance, shape ``(..., 2 L - 1)``, laid out as ``(..., L, L)``."""
    return by_distance.unfold(-1, length, 1).flip(-2)


class RelativeBias(nn.Module):
    """One table of buckets for each head.

    Args:
        buckets: Number of buckets.
        heads: Number of heads.
        max_distance: From here on, all distances share the last bucket.
        bidirectional: Whether later tokens have buckets of their own.
    """

    def __init__(
        self, buckets: int, heads: int, max_distance: int, *, bidirectional: bool = True
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(buckets, heads), requires_grad=False)
        self.max_distance, self.bidirectional = max_distance, bidirectional

    def forward(self, batch: TokenBatch) -> Bias:
        """What is added to the scores of a batch, in all layers that share the table."""
        longest = max(group.length for group in batch.groups)
        distances = torch.arange(1 - longest, longest, device=self.weight.device)
        places = _bucket(distances, len(self.weight), self.max_distance, self.bidirectional)
        table = _square(self.weight[places].T, longest)[None]

        def bias(q: Tensor, k: Tensor) -> Tensor:
            del k
            return table[..., : q.shape[2], : q.shape[2]]

        return bias
