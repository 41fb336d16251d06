"""Scores from contents and distances apart: what a token means, and how far off it is.

Source: He et al. 2021 (DeBERTa, arXiv:2006.03654), section 3.1; logarithmic buckets:
He et al. 2023 (DeBERTaV3, arXiv:2111.09543), as in the published code.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from stelae.nn.batch import TokenBatch
from stelae.nn.layers.attention import ByContent, attend, split
from stelae.nn.layers.linear import Activation, Linear
from stelae.nn.layers.postnorm import PostNormLayer


@dataclass(frozen=True, slots=True)
class Distances:
    """Buckets of the distances in a text.

    Attributes:
        span: Buckets on either side of 0.
        farthest: Distance of the last logarithmic bucket; 0 if every distance has its own.
    """

    span: int
    farthest: int = 0

    def rows(self, length: int, device: torch.device) -> Tensor:
        """Row in the table of each distance from ``1 - length`` to ``length - 1``."""
        distances = torch.arange(1 - length, length, device=device)
        if self.farthest:
            distances = _bucket(distances, self.span, self.farthest)
        return (distances + self.span).clamp(0, 2 * self.span - 1)


def _bucket(distances: Tensor, buckets: int, farthest: int) -> Tensor:
    """Itself up to half of the buckets, then logarithmic, with its sign."""
    middle = buckets // 2
    sizes = distances.abs()
    ratio = torch.log(sizes.clamp(min=1) / middle) / math.log((farthest - 1) / middle)
    far = torch.ceil(ratio * (middle - 1)).long() + middle
    return torch.where(sizes <= middle, distances, far * distances.sign())


class DisentangledLayer(PostNormLayer):
    """A post-norm block whose scores add what distances mean to contents.

    Args:
        width: Width of a token vector, ``H``.
        heads: Number of attention heads.
        inner: Width between the two feed-forward layers.
        activation: Between them.
        eps: Of both norms.
        kinds: ``c2p`` (a content looks at a distance) and ``p2c`` (the reverse).
        shared: Whether distances are projected as contents are.
    """

    united: ClassVar[bool] = False

    def __init__(
        self,
        width: int,
        heads: int,
        inner: int,
        activation: Activation,
        eps: float,
        *,
        kinds: frozenset[str],
        shared: bool,
    ) -> None:
        super().__init__(width, heads, inner, activation, eps)
        self.kinds = kinds
        self.scale = (width // heads * (1 + len(kinds))) ** -0.5
        own = not shared
        self.distance_key = Linear(width, width) if own and "c2p" in kinds else None
        self.distance_query = Linear(width, width) if own and "p2c" in kinds else None
        self._tables: tuple[Tensor, Tensor] | None = None

    def look(
        self, x: Tensor, batch: TokenBatch, table: Callable[[], Tensor], rows: Tensor
    ) -> Tensor:
        """Token vectors in and out, shape ``(T, H)``.

        Args:
            x: Token vectors.
            batch: Where each text lies.
            table: Gives the vectors of the buckets, shape ``(2 span, H)``; asked once.
            rows: Row of that table for each distance in the longest text, ascending.
        """
        q, k, v = split(self.qkv(x), self.heads)
        if not self.kinds:
            return self.after(attend(q, k, v, batch, scale=self.scale), x)
        keys, queries = self._projected(table, x)
        # Row i of the scores looks at column j from the distance i - j.
        bias = ByContent(
            keys[:, rows.flip(0)] if "c2p" in self.kinds else None,
            queries[:, rows] if "p2c" in self.kinds else None,
        )
        return self.after(attend(q, k, v, batch, scale=self.scale, bias=bias), x)

    def _projected(self, table: Callable[[], Tensor], like: Tensor) -> tuple[Tensor, Tensor]:
        """Scaled keys and queries of the buckets, each ``(heads, 2 span, d)``; for all texts."""
        if self._tables is None or self._tables[0].dtype is not like.dtype:
            rows = table()
            q, k, _ = split(self.qkv(rows), self.heads)
            keys = k if self.distance_key is None else self._split(self.distance_key(rows))
            queries = q if self.distance_query is None else self._split(self.distance_query(rows))
            keys, queries = ((part * self.scale).transpose(0, 1) for part in (keys, queries))
            self._tables = keys.contiguous(), queries.contiguous()
        return self._tables

    def _split(self, rows: Tensor) -> Tensor:
        parts: Tensor = rows.view(len(rows), self.heads, -1)
        return parts
