"""Vectors of the tokens that count, for late interaction.

Source: Khattab and Zaharia 2020 (arXiv:2004.12832), sections 3.2 and 3.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from stelae.catalog.operations import LateInteraction, Marking
from stelae.nn.batch import TokenBatch
from stelae.types import Role

Matrix = NDArray[np.float32]


class LateInteractionHead(nn.Module):
    """Leaves out the tokens on a side's skip list.

    Args:
        marking: How each side is read.
    """

    def __init__(self, marking: LateInteraction) -> None:
        super().__init__()
        self.marking = marking

    def forward(self, x: Tensor, batch: TokenBatch, roles: Sequence[Role | None]) -> list[Matrix]:
        """Take each text's vectors apart.

        Args:
            x: Token vectors, shape ``(T, D)``.
            batch: Where each text lies.
            roles: The side of each text, in packed order.

        Returns:
            One matrix ``(T_i, D)`` per text, in packed order.
        """
        rows: Matrix = x.float().cpu().numpy()
        ids = batch.ids.cpu().numpy()
        spans = zip(batch.starts.tolist(), batch.lengths.tolist(), roles, strict=True)
        found: list[Matrix] = []
        for start, length, role in spans:
            side = self.marking.query if role is Role.QUERY else self.marking.document
            part = slice(start, start + length)
            found.append(rows[part][kept(ids[part], side)])
        return found


def kept(ids: NDArray[Any], side: Marking) -> NDArray[np.bool_]:
    """Which tokens of a text count.

    Args:
        ids: Those of the text, shape ``(T,)``.
        side: How texts of its side are read.
    """
    counts: NDArray[np.bool_] = ~np.isin(ids, np.array(side.skip, np.int64))
    counts[: side.skip_first] = False
    return counts
