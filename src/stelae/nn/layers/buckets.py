"""A learned number for each distance between two tokens, added to their score.

Near distances have a bucket each; far ones share buckets that grow with the distance.

Source: Raffel et al. 2020 (arXiv:1910.10683), section 2.1; the borders of the buckets
are those of its published code.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor, nn

from stelae.nn.batch import TokenBatch
from stelae.nn.layers.attention import ByDistance


@lru_cache(maxsize=64)
def buckets_of(
    longest: int,
    buckets: int,
    max_distance: int,
    bidirectional: bool = True,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Bucket of each distance (place seen minus place that looks) in a text.

    Args:
        longest: Tokens of the text, ``L``.
        buckets: Number of buckets.
        max_distance: From here on, all distances share the last bucket.
        bidirectional: Whether later tokens have half of the buckets; otherwise they
            count as distance 0.
        device: Where the result goes.

    Returns:
        Integers from that of distance ``1 - L`` to that of ``L - 1``, shape ``(2 L - 1,)``; kept,
        and not to be written to.
    """
    distances = torch.arange(1 - longest, longest, device=device)
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

    def forward(self, batch: TokenBatch) -> ByDistance:
        """What is added to the scores of a batch, in all layers that share the table."""
        longest = batch.groups[-1].length
        places = buckets_of(
            *(1 << (longest - 1).bit_length(), len(self.weight), self.max_distance),
            *(self.bidirectional, self.weight.device),
        )  # few lengths, so that they stay known
        spare = len(places) // 2 + 1 - longest
        places = places[spare : len(places) - spare]
        return ByDistance(self.weight[places].T.contiguous().float())
