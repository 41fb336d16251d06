"""Post-norm blocks on the CPU: all of them in one call of a compiled kernel."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from stelae.nn.batch import TokenBatch
from stelae.nn.kernels import blocks
from stelae.nn.kernels.attention import middle
from stelae.nn.kernels.blocks import Angles, Norm, Parts, kernel_for, norm_parts, turned
from stelae.nn.kernels.linear import ACTIVATIONS
from stelae.nn.kernels.variants import INT, LONG, POINTER, Source

SOURCE = Source(
    "postnorm",
    "blocks",
    "stelae_postnorm",
    (*([POINTER] * 6), *(LONG, POINTER, LONG, POINTER, INT, POINTER)),
)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Block(blocks.Block):
    """One block: its linear layers and norms.

    Attributes:
        out_norm: After attention.
        down_norm: After the feed-forward layers.
        heads: Of attention.
        eps: Of both norms.
    """

    out_norm: Norm
    down_norm: Norm
    heads: int
    eps: float

    @property
    def head(self) -> int:
        """Numbers per head."""
        return self.out.inputs // self.heads

    @property
    def parts(self) -> Parts:
        """What the kernel reads."""
        return [
            *(*self.qkv.parts, *self.out.parts, *norm_parts(self.out_norm)),
            *(*self.inner.parts, *norm_parts(self.down_norm)),
        ]


class _Shared(ctypes.Structure):
    """As ``postnorm.cpp`` has it."""

    _fields_ = [
        *((name, ctypes.c_int) for name in ("blocks", "width", "heads", "head")),
        *((name, ctypes.c_int) for name in ("inner", "activation")),
        ("eps", ctypes.c_float),
    ]


class Blocks(blocks.Blocks):
    """Blocks that run one after another.

    Args:
        stack: Such as ``fits`` accepts.
    """

    def __init__(self, stack: Sequence[Block]) -> None:
        first = stack[0]
        super().__init__(
            kernel_for(SOURCE, stack),
            stack,
            [part for block in stack for part in block.parts],
            _Shared(
                *(len(stack), first.qkv.inputs, first.heads, first.head),
                *(first.inner.up.outputs, ACTIVATIONS[first.inner.activation], first.eps),
            ),
        )

    def run(
        self,
        x: Tensor,
        batch: TokenBatch,
        distances: Tensor | None = None,
        angles: Angles | None = None,
    ) -> Tensor:
        """Take token vectors through all blocks, in place.

        Args:
            x: Shape ``(T, H)``, rows side by side.
            batch: Where each sequence lies.
            distances: Added to the scores of every block, as in ``Scores``.
            angles: What queries and keys are turned by, as many numbers as a head has pairs.

        Raises:
            MemoryError: There is none for queries, keys and values.
        """
        by = None if angles is None else turned([angles])
        return self.through(x, batch, *middle(distances), by)


def fits(stack: Sequence[Block]) -> bool:
    """Whether the kernel is here and runs such blocks."""
    kernel = kernel_for(SOURCE, stack)
    if kernel is None:
        return False
    first = stack[0]
    return first.out.inputs % (first.heads * kernel.variant.step) == 0 and all(
        (block.heads, block.eps) == (first.heads, first.eps) for block in stack
    )
