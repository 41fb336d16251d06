"""Pre-norm blocks on the CPU: all of them in one call of a compiled kernel."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from stelae.nn.batch import TokenBatch
from stelae.nn.kernels import blocks
from stelae.nn.kernels.blocks import Angles, Norm, Parts, kernel_for, norm_parts, numbers, turned
from stelae.nn.kernels.linear import ACTIVATIONS
from stelae.nn.kernels.variants import INT, LONG, POINTER, Source

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


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Block(blocks.Block):
    """One block: its linear layers and norms.

    Attributes:
        attention_norm: Before attention; ``None`` where rows are read as they are.
        q_norm: What each head of a query is multiplied by once it is normalised, shape
            ``(head,)``; ``None`` where heads are not normalised.
        k_norm: Likewise, of keys.
        attention_after: Of what attention adds; ``None`` for none.
        inner_norm: Before the feed-forward layers.
        after: Of what they add; ``None`` for none.
        window: Places before and after it that a token sees; ``None`` for all on that side.
    """

    attention_norm: Norm | None
    q_norm: Tensor | None
    k_norm: Tensor | None
    attention_after: Norm | None
    inner_norm: Norm
    after: Norm | None
    window: tuple[int | None, int | None]

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
        first, scale = stack[0], shared.scale
        super().__init__(
            kernel_for(SOURCE, stack),
            stack,
            [*(part for block in stack for part in block.parts), *norm_parts(last)],
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
    return kernel_for(SOURCE, stack) is not None and shared.head % 2 == 0
