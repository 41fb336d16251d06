"""Pre-norm blocks on the CPU: all of them in one call of a compiled kernel."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from stelae.nn.batch import TokenBatch
from stelae.nn.kernels import blocks
from stelae.nn.kernels.blocks import (
    Angles,
    FeedForward,
    Norm,
    Parts,
    kernel_of,
    norm_parts,
    numbers,
    shapes_of,
    turned,
)
from stelae.nn.kernels.linear import ACTIVATIONS, Panels
from stelae.nn.kernels.variants import INT, LONG, POINTER, Kernel, Source

SOURCE = Source(
    "prenorm",
    "blocks",
    "stelae_prenorm",
    (
        *([POINTER] * 6),
        *(LONG, POINTER, POINTER, INT, POINTER),
    ),
)


@dataclass(frozen=True, slots=True)
class Shared:
    """What all blocks have in common.

    Attributes:
        heads: Of queries.
        kv_heads: Of keys and values; each serves ``heads / kv_heads`` of queries.
        head: Numbers per head.
        eps: Of all norms.
        scale: Factor on the scores; ``None`` for ``1 / sqrt(head)``.
        softcap: Bound of the scores; ``None`` for none.
    """

    heads: int
    kv_heads: int
    head: int
    eps: float
    scale: float | None = None
    softcap: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """One block: its linear layers and norms.

    Attributes:
        attention_norm: Before attention; ``None`` where rows are read as they are.
        qkv: To queries, keys and values.
        q_norm: What each head of a query is multiplied by once it is normalised, shape
            ``(head,)``; ``None`` where heads are not normalised.
        k_norm: Likewise, of keys.
        out: Of attention.
        attention_after: Of what attention adds; ``None`` for none.
        inner_norm: Before the feed-forward layers.
        inner: These.
        after: Of what they add; ``None`` for none.
        window: Places before and after it that a token sees; ``None`` for all on that side.
    """

    attention_norm: Norm | None
    qkv: Panels
    q_norm: Tensor | None
    k_norm: Tensor | None
    out: Panels
    attention_after: Norm | None
    inner_norm: Norm
    inner: FeedForward
    after: Norm | None
    window: tuple[int | None, int | None]

    @property
    def layers(self) -> list[Panels]:
        """In the order in which they run."""
        return [self.qkv, self.out, *self.inner.layers]

    @property
    def parts(self) -> Parts:
        """What the kernel reads."""
        return [
            *norm_parts(self.attention_norm),
            *self.qkv.parts,
            *(numbers(self.q_norm), numbers(self.k_norm)),
            *self.out.parts,
            *norm_parts(self.attention_after),
            *norm_parts(self.inner_norm),
            *self.inner.parts,
            *norm_parts(self.after),
        ]

    @property
    def kind(self) -> tuple[object, ...]:
        """What all blocks have in common."""
        return shapes_of(self.layers), self.inner.kind


class _Shared(ctypes.Structure):
    """As ``prenorm.cpp`` has it."""

    _fields_ = [
        *((name, ctypes.c_int) for name in ("blocks", "width", "heads", "kv_heads", "head")),
        *((name, ctypes.c_int) for name in ("inner", "activation")),
        *((name, ctypes.c_float) for name in ("eps", "scale", "cap")),
    ]


class Blocks(blocks.Blocks):
    """Blocks that run one after another, and a norm behind them.

    Args:
        stack: Such as ``fits`` accepts.
        last: The norm.
        shared: What they have in common.
    """

    def __init__(self, stack: Sequence[Block], last: Norm, shared: Shared) -> None:
        kernel = _kernel(stack)
        if kernel is None:
            raise RuntimeError("there is no kernel here; ask `fits` first")
        first, scale = stack[0], shared.scale
        super().__init__(
            kernel,
            [*(part for block in stack for part in block.parts), *norm_parts(last)],
            (layer for block in stack for layer in block.layers),
            _Shared(
                *(len(stack), first.qkv.inputs, shared.heads, shared.kv_heads, shared.head),
                *(first.inner.up.outputs, ACTIVATIONS[first.inner.activation], shared.eps),
                *(shared.head**-0.5 if scale is None else scale, shared.softcap or 0.0),
            ),
        )
        sides = [-1 if side is None else side for block in stack for side in block.window]
        self._windows = (ctypes.c_int64 * len(sides))(*sides)

    def run(self, x: Tensor, batch: TokenBatch, angles: Sequence[Angles]) -> Tensor:
        """Take token vectors through all blocks and the norm, in place.

        Args:
            x: Shape ``(T, H)``, rows side by side.
            batch: Where each sequence lies.
            angles: Of each block, as many numbers as a head has pairs.

        Raises:
            MemoryError: There is none for queries, keys and values.
        """
        return self.through(x, batch, self._windows, turned(angles))


def fits(stack: Sequence[Block], shared: Shared) -> bool:
    """Whether the kernel is here and runs such blocks."""
    if not stack:
        return False
    kernel, first = _kernel(stack), stack[0]
    return (
        kernel is not None
        and first.inner.activation in ACTIVATIONS
        and first.qkv.inputs % kernel.variant.lanes == 0
        and shared.head % 2 == 0
        and all(block.kind == first.kind for block in stack)
    )


def _kernel(stack: Sequence[Block]) -> Kernel | None:
    return kernel_of(SOURCE, [layer for block in stack for layer in block.layers])
