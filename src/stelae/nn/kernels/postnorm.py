"""Post-norm blocks on the CPU: all of them in one call of a compiled kernel."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from stelae.nn.batch import TokenBatch
from stelae.nn.kernels.attention import middle
from stelae.nn.kernels.build import BuildFailed
from stelae.nn.kernels.linear import ACTIVATIONS, Panels, aligned, pointers_to
from stelae.nn.kernels.variants import (
    FLOAT,
    INT,
    INT8_VARIANTS,
    LONG,
    POINTER,
    Kernel,
    Source,
    best,
    compiled,
)

SOURCE = Source(
    "postnorm",
    "blocks",
    "stelae_postnorm",
    (
        *(POINTER, POINTER),
        *([INT] * 5),
        *(FLOAT, POINTER, POINTER, POINTER, LONG, POINTER, LONG, INT, POINTER),
    ),
)


@dataclass(frozen=True, slots=True, eq=False)
class Norm:
    """What a norm multiplies by and adds, each of shape ``(H,)``."""

    scale: Tensor
    shift: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """One block: its linear layers and norms.

    Attributes:
        qkv: To queries, keys and values.
        out: Of attention.
        out_norm: After it.
        up: To the inner width.
        down: From there.
        down_norm: After it.
        heads: Of attention.
        activation: Between up and down.
        eps: Of both norms.
    """

    qkv: Panels
    out: Panels
    out_norm: Norm
    up: Panels
    down: Panels
    down_norm: Norm
    heads: int
    activation: str
    eps: float


class Blocks:
    """Blocks that run one after another.

    Args:
        blocks: Such as ``fits`` accepts.

    Attributes:
        shapes: Inputs and outputs of each linear layer.
        spent: Where seconds of linear layers, attention and norms are added that the calling
            thread is on a processor for; ``None`` if nobody asks.
    """

    def __init__(self, blocks: Sequence[Block]) -> None:
        first = blocks[0]
        kernel = _kernel(blocks)
        if kernel is None:
            raise RuntimeError("there is no kernel here; ask `fits` first")
        self._run = kernel.run
        self._kept = [part for block in blocks for part in _parts(block)]
        self._parts = pointers_to(self._kept)
        self._sizes = (len(blocks), first.qkv.inputs, first.heads, first.up.outputs)
        self._how = (ACTIVATIONS[first.activation], first.eps)
        self.shapes = [
            (panels.inputs, panels.outputs) for block in blocks for panels in layers_of(block)
        ]
        self.spent: ctypes.Array[ctypes.c_double] | None = None

    def run(self, x: Tensor, batch: TokenBatch, distances: Tensor | None = None) -> Tensor:
        """Take token vectors through all blocks, in place.

        Args:
            x: Shape ``(T, H)``, rows side by side.
            batch: Where each sequence lies.
            distances: Added to the scores of every block, as in ``Scores``.

        Raises:
            MemoryError: There is none for queries, keys and values.
        """
        failed = self._run(
            *(x.data_ptr(), self._parts, *self._sizes, *self._how),
            *(rows.data_ptr() for rows in (batch.starts, batch.lengths, batch.seen)),
            *(batch.size, *middle(distances), torch.get_num_threads(), self.spent),
        )
        if failed:
            raise MemoryError(f"no memory for queries, keys and values of {len(x)} tokens")
        return x


def fits(blocks: Sequence[Block]) -> bool:
    """Whether the kernel is here and runs such blocks."""
    if not blocks:
        return False
    first = blocks[0]
    kernel = _kernel(blocks)
    width = first.qkv.inputs
    return (
        kernel is not None
        and first.activation in ACTIVATIONS
        and width % kernel.variant.lanes == 0
        and width % (first.heads * kernel.variant.step) == 0
        and all(_kind(block) == _kind(first) for block in blocks)
    )


def _kernel(blocks: Sequence[Block]) -> Kernel | None:
    """The kernel that multiplies all layers, of which some may be in int8.

    Weights that are not are laid out for it as for the others of the number format.
    """
    variants = {panels.kernel.variant for block in blocks for panels in layers_of(block)}
    quantised = variants.intersection(INT8_VARIANTS)
    try:
        if quantised:
            return compiled(SOURCE, quantised.pop())
    except BuildFailed:
        return None
    return best(SOURCE, blocks[0].qkv.dtype)


def layers_of(block: Block) -> tuple[Panels, Panels, Panels, Panels]:
    """The linear layers of a block, in the order in which they run."""
    return block.qkv, block.out, block.up, block.down


def _kind(block: Block) -> tuple[object, ...]:
    """What all blocks have in common."""
    shapes = tuple((panels.inputs, panels.outputs) for panels in layers_of(block))
    return shapes, block.qkv.dtype, block.heads, block.activation, block.eps


def _parts(block: Block) -> list[Tensor | None]:
    """What the kernel reads of a block, in its order."""
    return [
        *block.qkv.parts,
        *block.out.parts,
        *_numbers(block.out_norm),
        *block.up.parts,
        *block.down.parts,
        *_numbers(block.down_norm),
    ]


def _numbers(norm: Norm) -> tuple[Tensor, Tensor]:
    """In the float32 that the kernel normalises in."""
    return aligned(norm.scale.detach().float()), aligned(norm.shift.detach().float())
