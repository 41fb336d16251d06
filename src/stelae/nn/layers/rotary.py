"""Rotary positions: queries and keys turned by an angle that grows with the position.

Source: Su et al. 2021 (arXiv:2104.09864).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from stelae.nn.backbone import require
from stelae.nn.batch import TokenBatch


@dataclass(frozen=True, slots=True)
class Table:
    """Cosine and sine for each token of a batch.

    Attributes:
        cos: Shape ``(T, 1, width)``, fp32; each angle stands twice.
        sin: As ``cos``.
        interleaved: Whether neighbours are turned together (else halves are).
    """

    cos: Tensor
    sin: Tensor
    interleaved: bool


class Rotary:
    """Angles of one kind of layer.

    Args:
        width: Numbers of each head that are turned.
        base: The longest wavelength is ``2 pi base``.
        scaling: How angles are stretched for longer texts, as in ``config.json``.
        positions: Longest text of training.
        interleaved: Whether neighbouring numbers form a pair (else those half the
            width apart do).
    """

    def __init__(
        self,
        width: int,
        base: float = 10000.0,
        scaling: Mapping[str, Any] | None = None,
        *,
        positions: int,
        interleaved: bool = False,
    ) -> None:
        kind = (scaling or {}).get("rope_type", (scaling or {}).get("type", "default"))
        require(kind == "default", "rope_scaling", kind, "default")
        self.width, self.base, self.positions = width, base, positions
        self.interleaved = interleaved

    def table(self, batch: TokenBatch) -> Table:
        """Cosine and sine of every token's angles; computed once per batch."""
        device = batch.positions.device
        powers = torch.arange(0, self.width, 2, device=device).float() / self.width
        angles = batch.positions[:, None].float() * self.base**-powers
        angles = (
            angles.repeat_interleave(2, dim=-1)
            if self.interleaved
            else torch.cat((angles, angles), dim=-1)
        )
        return Table(angles.cos()[:, None], angles.sin()[:, None], self.interleaved)


def rotate(x: Tensor, table: Table) -> Tensor:
    """Turn the first ``width`` numbers of every head.

    Args:
        x: Queries or keys, shape ``(T, heads, d)`` with ``d >= width``.
        table: The angles.

    Returns:
        As ``x``.
    """
    width = table.cos.shape[-1]
    turned, rest = x[..., :width], x[..., width:]
    cos, sin = table.cos.to(x.dtype), table.sin.to(x.dtype)
    partner = _neighbours(turned) if table.interleaved else _halves(turned)
    y = turned * cos + partner * sin
    return torch.cat((y, rest), dim=-1) if rest.shape[-1] else y


def _halves(x: Tensor) -> Tensor:
    first, second = x.chunk(2, dim=-1)
    return torch.cat((-second, first), dim=-1)


def _neighbours(x: Tensor) -> Tensor:
    pairs = x.reshape(*x.shape[:-1], -1, 2)
    return torch.stack((-pairs[..., 1], pairs[..., 0]), dim=-1).flatten(-2)
