"""Post-norm blocks on the CPU: all of them in one call of a compiled kernel."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from stelae.nn.batch import TokenBatch
from stelae.nn.kernels import blocks
from stelae.nn.kernels.attention import middle
from stelae.nn.kernels.blocks import (
    Angles,
    FeedForward,
    Norm,
    Parts,
    kernel_of,
    norm_parts,
    shapes_of,
    turned,
)
from stelae.nn.kernels.linear import ACTIVATIONS, Panels
from stelae.nn.kernels.variants import INT, LONG, POINTER, Kernel, Source

SOURCE = Source(
    "postnorm",
    "blocks",
    "stelae_postnorm",
    (*([POINTER] * 6), *(LONG, POINTER, LONG, POINTER, INT, POINTER)),
)


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """One block: its linear layers and norms.

    Attributes:
        qkv: To queries, keys and values.
        out: Of attention.
        out_norm: After it.
        inner: The feed-forward layers.
        down_norm: After them.
        heads: Of attention.
        eps: Of both norms.
    """

    qkv: Panels
    out: Panels
    out_norm: Norm
    inner: FeedForward
    down_norm: Norm
    heads: int
    eps: float

    @property
    def layers(self) -> list[Panels]:
        """In the order in which they run."""
        return [self.qkv, self.out, *self.inner.layers]

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

    @property
    def kind(self) -> tuple[object, ...]:
        """What all blocks have in common."""
        return shapes_of(self.layers), self.inner.kind, self.heads, self.eps


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
        first, kernel = stack[0], _kernel(stack)
        if kernel is None:
            raise RuntimeError("there is no kernel here; ask `fits` first")
        super().__init__(
            kernel,
            [part for block in stack for part in block.parts],
            (layer for block in stack for layer in block.layers),
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
    if not stack:
        return False
    kernel, first = _kernel(stack), stack[0]
    return (
        kernel is not None
        and first.inner.activation in ACTIVATIONS
        and first.qkv.inputs % kernel.variant.lanes == 0
        and first.out.inputs % (first.heads * kernel.variant.step) == 0
        and all(block.kind == first.kind for block in stack)
    )


def _kernel(stack: Sequence[Block]) -> Kernel | None:
    return kernel_of(SOURCE, [layer for block in stack for layer in block.layers])
