"""How much memory a model is expected to take, before it is loaded."""

from __future__ import annotations

import msgspec

from stelae.catalog.hub_room import said
from stelae.catalog.weighing import Weight
from stelae.engines.hardware import bfloat16_feature
from stelae.types import ComputeDtype

WORKER = 256 << 20
"""Bytes of a worker beside its weights: of the 342 MB of the embedded model's, 45 are weights."""

BITS = {
    ComputeDtype.FLOAT32: 32,
    ComputeDtype.BFLOAT16: 16,
    ComputeDtype.FLOAT16: 16,
    ComputeDtype.INT8: 8,
}


class Footprint(msgspec.Struct, frozen=True, kw_only=True):
    """Memory of one replica, in bytes.

    Attributes:
        weights: Of its weights, as they are computed with.
        worker: Of all else in its process.
        measured: Of both, as it was when it was last loaded; 0 if that is not known.
    """

    weights: int = 0
    worker: int = 0
    measured: int = 0

    @property
    def bytes(self) -> int:
        """All of it."""
        return self.measured or self.weights + self.worker

    def __str__(self) -> str:
        if self.measured:
            return "as measured when it was last loaded"
        return f"{said(self.weights)} of weights and {said(self.worker)} of its worker"


def footprint(weight: Weight, dtype: ComputeDtype, *, on_card: bool = False) -> Footprint:
    """What a replica is expected to take: its weights in their format, and its process.

    What grows with its work (texts under way, keys and values) is measured later.

    Args:
        weight: Its weights as they are stored.
        dtype: Number format to compute in; ``auto`` is taken for the smallest that engines
            choose here.
        on_card: Whether the weights lie in the memory of a graphics card.
    """
    if on_card:
        return Footprint(worker=WORKER)
    if weight.bits is None:
        return Footprint(weights=weight.bytes, worker=WORKER)
    bits = BITS.get(dtype, 16 if bfloat16_feature() is not None else 32)
    return Footprint(weights=weight.bytes * bits // weight.bits, worker=WORKER)
