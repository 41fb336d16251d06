"""One weight for each term of the vocabulary, most of them zero.

Source: Formal et al. 2021 (SPLADE, arXiv:2109.10086); Chen et al. 2024 (BGE-M3,
arXiv:2402.03216), section 3.1; Geng et al. 2024 (inference-free queries,
arXiv:2411.04403).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stelae.catalog.operations import Terms
from stelae.nn.batch import TokenBatch
from stelae.nn.layers.linear import Linear

Weights = tuple[NDArray[np.int32], NDArray[np.float32]]
"""Ids of terms, ascending, and their weights, none of them zero."""

LOGITS = 1 << 24
"""Logits held at once."""


class SpladeHead(nn.Module):
    """The logits of the masked language head, pooled over the tokens of each text.

    Only a bounded number of logits exists at a time. With ``max`` pooling the
    activation follows the maximum, which it does not change, being monotone.

    Args:
        logits: Token vectors ``(T, H)`` to logits ``(T, V)``.
        terms: Size of the vocabulary, ``V``.
        pooling: Over the tokens of a text.
        activation: ``relu`` or ``log1p_relu``.
    """

    def __init__(self, logits: nn.Module, terms: int, pooling: Terms, activation: str) -> None:
        super().__init__()
        self.logits, self.terms, self.pooling = logits, terms, pooling
        self.twice = activation == "log1p_relu"

    def forward(self, x: Tensor, batch: TokenBatch) -> list[Weights]:
        """Weights of each text, in packed order."""
        ends = torch.cumsum(batch.lengths, 0).tolist()
        rows: list[Weights] = []
        pooled: Tensor | None = None
        for start, logits in self._blocks(x):
            done = start
            while len(rows) < len(ends) and done < start + len(logits):
                end = min(ends[len(rows)], start + len(logits))
                pooled = self._pool(pooled, logits[done - start : end - start])
                done = end
                if end == ends[len(rows)]:
                    rows.append(sparse(self._weights(pooled)))
                    pooled = None
        return rows

    def _blocks(self, x: Tensor) -> Iterator[tuple[int, Tensor]]:
        """Logits of the tokens, as many at a time as may exist."""
        step = max(1, LOGITS // self.terms)
        for start in range(0, len(x), step):
            yield start, self.logits(x[start : start + step]).float()

    def _pool(self, pooled: Tensor | None, logits: Tensor) -> Tensor:
        if self.pooling is Terms.MAX:
            most = logits.amax(dim=0)
            return most if pooled is None else torch.maximum(pooled, most)
        total = self._activated(logits).sum(dim=0)
        return total if pooled is None else pooled + total

    def _weights(self, pooled: Tensor) -> Tensor:
        return self._activated(pooled) if self.pooling is Terms.MAX else pooled

    def _activated(self, x: Tensor) -> Tensor:
        weights = torch.log1p(torch.relu(x))
        return torch.log1p(weights) if self.twice else weights


class TermWeightsHead(nn.Module):
    """A weight for each token; of equal tokens the largest counts.

    Args:
        width: Width of a token vector.
        unused: Ids of special tokens, which get no weight.
    """

    def __init__(self, width: int, unused: Sequence[int]) -> None:
        super().__init__()
        self.linear = Linear(width, 1)
        self.unused = np.array(sorted(unused), np.int64)

    def forward(self, x: Tensor, batch: TokenBatch) -> list[Weights]:
        """Weights of each text, in packed order."""
        weights = torch.relu(self.linear(x.float()))[:, 0].cpu().numpy()
        return _per_text(batch, weights, self.unused)


class StaticTermsHead(nn.Module):
    """A fixed weight for each term that occurs in a text, however often.

    Args:
        terms: Size of the vocabulary.
    """

    def __init__(self, terms: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(terms), requires_grad=False)

    def forward(self, x: Tensor, batch: TokenBatch) -> list[Weights]:
        """Weights of each text, in packed order; ``x`` plays no part."""
        del x
        weights = self.weight[batch.ids].cpu().numpy()
        return _per_text(batch, weights, np.empty(0, np.int64))


def sparse(row: Tensor) -> Weights:
    """The weights of a row that are not zero."""
    indices = torch.nonzero(row)[:, 0]
    return indices.to(torch.int32).cpu().numpy(), row[indices].cpu().numpy()


def _per_text(
    batch: TokenBatch, weights: NDArray[np.float32], unused: NDArray[np.int64]
) -> list[Weights]:
    ids = batch.ids.cpu().numpy()
    rows: list[Weights] = []
    for start, length in zip(batch.starts.tolist(), batch.lengths.tolist(), strict=True):
        part = slice(start, start + length)
        rows.append(_largest(ids[part], weights[part], unused))
    return rows


def _largest(
    ids: NDArray[np.int64], weights: NDArray[np.float32], unused: NDArray[np.int64]
) -> Weights:
    """The largest weight of each id."""
    used = ~np.isin(ids, unused) & (weights != 0)
    terms, place = np.unique(ids[used], return_inverse=True)
    largest = np.zeros(len(terms), np.float32)
    np.maximum.at(largest, place, weights[used])
    return terms.astype(np.int32), largest
