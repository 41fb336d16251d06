"""Times layers while they run, whatever the architecture that they are part of."""

from __future__ import annotations

import ctypes
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, Self

from torch import Tensor

from stelae.nn.kernels.blocks import Blocks
from stelae.nn.layers.attention import attend
from stelae.nn.layers.linear import GatedLinear, Linear
from stelae.nn.layers.norm import LayerNorm, RmsNorm

LINEARS, ATTENTION, NORMS = "linears", "attention", "norms"

PARTS: dict[CodeType, str] = {
    Linear.forward.__code__: LINEARS,
    Linear.add.__code__: LINEARS,
    GatedLinear.forward.__code__: LINEARS,
    attend.__code__: ATTENTION,
    LayerNorm.forward.__code__: NORMS,
    RmsNorm.forward.__code__: NORMS,
}
"""What all architectures are made of."""

SPENT = ctypes.c_double * 3
"""Seconds of linear layers, attention and norms."""

Shape = tuple[int, int]
"""Inputs and outputs of a linear layer."""


class Watch:
    """Looks on while layers run in the calling thread, through Python's own hook on calls.

    Nothing is put into the layers, which cost the same when nobody looks on; each call in
    Python costs a fraction of a microsecond more while somebody does.

    Args:
        clock: Seconds.

    Attributes:
        spent: Seconds by name; what a part does within another counts as the outer one.
        products: Rows that were multiplied, by the shape of the layer.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.spent: defaultdict[str, float] = defaultdict(float)
        self.products: Counter[Shape] = Counter()
        self._clock, self._depth, self._began = clock, 0, 0.0

    def __enter__(self) -> Self:
        self._before = sys.getprofile()
        sys.setprofile(self._see)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(self._before)

    def _see(self, frame: FrameType, event: str, result: Any) -> None:
        if frame.f_code is Blocks.through.__code__:
            self._see_blocks(frame.f_locals["self"], event, frame.f_locals["x"])
            return
        part = PARTS.get(frame.f_code)
        if part is None or event not in ("call", "return"):
            return
        if event == "call":
            if not self._depth:
                self._began = self._clock()
            self._depth += 1
            return
        self._depth -= 1
        if not self._depth:
            self.spent[part] += self._clock() - self._began
        if part == LINEARS and isinstance(result, Tensor):
            self._count(frame.f_locals, result)

    def _see_blocks(self, blocks: Blocks, event: str, x: Tensor) -> None:
        """Let blocks that run as one time their own parts."""
        if event == "call":
            blocks.spent = SPENT()
        elif event == "return" and blocks.spent is not None:
            for part, seconds in zip((LINEARS, ATTENTION, NORMS), blocks.spent, strict=True):
                self.spent[part] += seconds
            for shape in blocks.shapes:
                self.products[shape] += len(x)
            blocks.spent = None

    def _count(self, given: dict[str, Any], result: Tensor) -> None:
        inputs, outputs = given["x"].shape[-1], result.shape[-1]
        rows = result.numel() // outputs
        self.products[inputs, outputs] += rows * (
            2 if isinstance(given["self"], GatedLinear) else 1
        )
