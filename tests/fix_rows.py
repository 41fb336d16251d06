"""Rows and sequences by which kernels share out their work, angles, and how attention may err."""

from __future__ import annotations

import torch
from torch import Tensor

from stelae.nn.kernels.blocks import Angles

SLICES = [(0, 600), (1, 3), (2, 7), (3, 9), (4, 11), (5, 16), (6, 19), (7, 104), (8, 201)]
"""Rows of 600 that a linear layer takes together."""

BATCHES = {
    "alike": [20] * 40,
    "several": [1, 1, 2, 5, 6, 7, 30, 70, 71],
    "long": [530],
    "among short ones": [3] * 30 + [400],
    "two": [2, 300],
}
"""Sequences that threads take apart, if they keep all of them busy, and else share."""

TANGENT = 8
"""Roundings by which a hyperbolic tangent errs, and what is computed of it."""


def turned(heads: Tensor, angles: Angles) -> Tensor:
    """Su et al. 2021, equation 34, in float64, the pairs half a head apart.

    Args:
        heads: Of queries or keys, shape ``(T, heads, d)``.
        angles: What they are turned by.
    """
    cos, sin = (table.double()[angles.places][:, None] for table in (angles.cos, angles.sin))
    a, b = heads.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


def roundings(q: Tensor, k: Tensor, seen: int, cap: float | None) -> float:
    """Roundings of float32 by which attention errs: of a score, its weight and their sum.

    Sums of n products in float32 err by about the square root of n roundings of their size, and
    hardly ever by five times that (Higham and Mary 2019, theorem 2.4); the error of a score is
    that of its weight, relative to it.

    Args:
        q: Queries, shape ``(T, heads, d)``.
        k: Keys, shape ``(T, kv_heads, d)``.
        seen: Keys that a query sees at most.
        cap: Of scores; ``None`` for none.
    """
    width = q.shape[2]
    score = float(q.double().norm(dim=2).max() * k.double().norm(dim=2).max()) * width**-0.5
    found = 2 * (5 * width**0.5 + 4) * score + 5 * seen**0.5 + 16
    return found + (0.0 if cap is None else 2 * TANGENT * min(score, cap))
