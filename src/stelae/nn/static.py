"""A table of vectors in a transformer's place."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from stelae.nn.batch import TokenBatch


class StaticTable(nn.Module):
    """Each token has its own vector, whatever stands around it.

    Args:
        tokens: Size of the vocabulary, ``V``.
        rows: Rows of the table, at most ``V``.
        width: Width of a vector, ``H``.
        scaled: Whether tokens have factors.
        shared: Whether tokens share rows.

    Source:
        Tulkens and van Dongen 2024, Model2Vec (https://github.com/MinishLab/model2vec).
    """

    def __init__(
        self, tokens: int, rows: int, width: int, *, scaled: bool = False, shared: bool = False
    ) -> None:
        super().__init__()
        self.width = width
        self.table = nn.Parameter(torch.empty(rows, width), requires_grad=False)
        self.scales = nn.Parameter(torch.empty(tokens), requires_grad=False) if scaled else None
        places = torch.empty(tokens, dtype=torch.int64)
        self.places = nn.Parameter(places, requires_grad=False) if shared else None

    def states(self, batch: TokenBatch) -> Iterator[Tensor]:
        """Token vectors, shape ``(T, H)``; there is one layer."""
        yield self(batch)

    def forward(self, batch: TokenBatch) -> Tensor:
        """Token vectors, shape ``(T, H)``, in fp32."""
        places = batch.ids if self.places is None else self.places[batch.ids]
        vectors = functional.embedding(places, self.table).float()
        return vectors if self.scales is None else vectors * self.scales[batch.ids, None].float()
