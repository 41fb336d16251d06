"""Many pictures on one token axis: a token for each patch, no padding anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stelae.nn.backbone import Backbone
from stelae.nn.batch import TokenBatch, pack
from stelae.nn.layers.linear import Linear

Grid = tuple[int, int]
"""Rows and columns of patches."""

Patches = NDArray[np.float32] | NDArray[np.int8]
"""Patches of one picture, shape ``(rows * columns, side * side * 3)``, colours last: numbers
of a model's own scale, or pixels as signed bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchBatch(TokenBatch):
    """Packed pictures and where each lies; the ids mean nothing.

    Attributes:
        patches: Numbers of each patch, shape ``(P, side * side * 3)``; the tokens of a
            tower's own have none.
        grids: Patches of each packed picture.
    """

    patches: Tensor
    grids: tuple[Grid, ...]


def pack_pictures(
    pictures: Sequence[Patches],
    grids: Sequence[Grid],
    own: int = 0,
    device: torch.device | str = "cpu",
) -> PatchBatch:
    """Lay pictures end to end, smallest first.

    Args:
        pictures: Patches of each.
        grids: Rows and columns of each.
        own: Tokens that the tower puts before the patches of each picture.
        device: Where the tensors go.
    """
    batch = pack([np.zeros(len(p) + own, np.int32) for p in pictures], device=device)
    patches = torch.from_numpy(np.concatenate([pictures[i] for i in batch.order]))
    facts = {field.name: getattr(batch, field.name) for field in fields(batch)}
    return PatchBatch(
        **facts, patches=patches.to(device), grids=tuple(grids[i] for i in batch.order)
    )


class VisionBackbone(Backbone):
    """A transformer on packed patches.

    Attributes:
        own: Tokens that it puts before the patches of each picture.
        side: Side of a patch in pixels.
        grid: Patches of the one size of picture that it reads; ``None`` for any.
        patch: Makes a token of each patch.
    """

    own: ClassVar[int] = 0
    side: int
    grid: Grid | None
    patch: Linear

    def read_bytes(self, factor: Sequence[float], offset: Sequence[float]) -> None:
        """Read signed bytes from now on; the first layer scales them as well.

        Args:
            factor: On red, green and blue.
            offset: Added to them then, which gives the numbers that the tower was made for.
        """
        layer, squares = self.patch, self.side**2
        weight = layer.weight.double()
        factors, offsets = (weight.new_tensor(v).repeat(squares) for v in (factor, offset))
        bias = weight @ offsets
        if layer.bias is not None:
            bias += layer.bias
        layer.weight = nn.Parameter((weight * factors).to(layer.weight.dtype), requires_grad=False)
        layer.bias = nn.Parameter(bias.to(layer.weight.dtype), requires_grad=False)


def patches_of(batch: TokenBatch) -> PatchBatch:
    """The batch, if it is one of pictures.

    Raises:
        TypeError: It is one of texts.
    """
    if not isinstance(batch, PatchBatch):
        raise TypeError("a tower for pictures was given texts")
    return batch
