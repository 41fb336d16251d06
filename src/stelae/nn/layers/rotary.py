"""Rotary positions: queries and keys turned by an angle that grows with the position.

Source: Su et al. 2021 (arXiv:2104.09864).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from stelae.nn.batch import TokenBatch
from stelae.nn.kernels.blocks import Angles
from stelae.nn.layers.scaling import Turning, scaling_of


@dataclass(frozen=True, slots=True)
class Table:
    """Cosine and sine for each token of a batch.

    Attributes:
        cos: For each number of a head, shape ``(T, 1, width)``, fp32.
        sin: As ``cos``, negative for the first number of a pair.
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
        scaling: How angles are slowed for longer texts, as in ``config.json``.
        positions: ``max_position_embeddings``.
        interleaved: Whether neighbouring numbers form a pair (else those half the
            width apart do).

    Raises:
        UnsupportedCheckpoint: The scaling is not implemented.
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
        self._turning = Turning(width, base, positions)
        self._scaling = scaling_of(scaling or {})
        self._amplitude = self._scaling.amplitude(self._turning)
        self._rates = self._scaling.rates(self._turning, 1)
        self._known = torch.empty(0, width // 2), torch.empty(0, width // 2)
        self.width, self.interleaved = width, interleaved

    def table(self, batch: TokenBatch) -> Table:
        """Cosine and sine of every token's angles; computed once per batch."""
        cos, sin = (x[:, None] for x in self._turned(batch.positions, self._rates_of(batch)))
        return Table(self._paired(cos, cos), self._paired(-sin, sin), self.interleaved)

    def angles(self, batch: TokenBatch) -> Angles:
        """Cosine and sine of each pair, once for all tokens of a place where that will do."""
        if self._scaling.by_length:
            cos, sin = self._turned(batch.positions, self._rates_of(batch))
            return Angles(cos, sin, torch.arange(len(cos)))
        cos, sin = self._known
        longest = batch.groups[-1].length if batch.groups else 0
        if longest > len(cos):
            places = torch.arange(1 << (longest - 1).bit_length())
            self._known = cos, sin = self._turned(places, self._rates)
        return Angles(cos, sin, batch.positions)

    def _turned(self, positions: Tensor, rates: Tensor) -> tuple[Tensor, Tensor]:
        """Cosine and sine of each pair at each position, shapes ``(T, width / 2)``."""
        angles = positions[:, None].float() * rates.to(positions.device)
        return angles.cos() * self._amplitude, angles.sin() * self._amplitude

    def _paired(self, first: Tensor, second: Tensor) -> Tensor:
        """For the first and second number of each pair, put where they stand."""
        if self.interleaved:
            return torch.stack((first, second), dim=-1).flatten(-2)
        return torch.cat((first, second), dim=-1)

    def _rates_of(self, batch: TokenBatch) -> Tensor:
        """Angle per position: the same for all tokens, or one row for each."""
        if not self._scaling.by_length:
            return self._rates
        rows = [self._scaling.rates(self._turning, group.length) for group in batch.groups]
        counts = torch.tensor([group.count * group.length for group in batch.groups])
        return torch.stack(rows).repeat_interleave(counts, dim=0)


def rope_options(
    parameters: Mapping[str, Any] | None, scaling: Mapping[str, Any] | None, base: float
) -> dict[str, Any]:
    """Rotary options of ``config.json`` from the places where its generations keep them.

    Args:
        parameters: ``rope_parameters``, the newer place.
        scaling: ``rope_scaling``, the older one, which counts if both are there.
        base: ``rope_theta`` beside them, or the family's own; counts if neither states it.
    """
    return {"rope_theta": base, **(scaling or parameters or {})}


def rotate(x: Tensor, table: Table) -> Tensor:
    """Turn the first ``width`` numbers of every head.

    Args:
        x: Queries or keys, shape ``(T, heads, d)`` with ``d >= width``.
        table: The angles.

    Returns:
        As ``x``.
    """
    width = table.cos.shape[-1]
    cos, sin = table.cos.to(x.dtype), table.sin.to(x.dtype)
    turned, rest = x[..., :width], x[..., width:]
    y = torch.cat((*_partners(turned, table), rest), dim=-1)
    y[..., :width].mul_(sin).addcmul_(turned, cos)
    return y


def _partners(x: Tensor, table: Table) -> Sequence[Tensor]:
    """The other number of each pair in the place of its partner, in pieces."""
    if table.interleaved:
        return (torch.stack((x[..., 1::2], x[..., ::2]), dim=-1).flatten(-2),)
    first, second = x.chunk(2, dim=-1)
    return second, first
