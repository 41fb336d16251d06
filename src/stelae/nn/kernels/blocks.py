"""Blocks on the CPU, all of them in one call of a compiled kernel: what kinds have in common."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from stelae.nn.batch import TokenBatch
from stelae.nn.kernels.build import BuildFailed
from stelae.nn.kernels.linear import ACTIVATIONS, Panels, aligned, pointers_to
from stelae.nn.kernels.variants import INT8_VARIANTS, Kernel, Source, best, compiled

Parts = list[Tensor | None]
"""What a kernel reads of a block, in its order."""


@dataclass(frozen=True, slots=True, eq=False)
class Norm:
    """What a norm multiplies by and adds, each of shape ``(H,)``.

    Without a shift no mean is subtracted.
    """

    scale: Tensor
    shift: Tensor | None


@dataclass(frozen=True, slots=True, eq=False)
class FeedForward:
    """Two linear layers and what is between them.

    Attributes:
        gate: Beside the first, whose result is multiplied by this one's; ``None`` for none.
        up: To the inner width.
        down: From there.
        activation: Of the gate, or of the first.
    """

    gate: Panels | None
    up: Panels
    down: Panels
    activation: str

    @property
    def layers(self) -> list[Panels]:
        """In the order in which they run."""
        return [self.up, self.down] if self.gate is None else [self.gate, self.up, self.down]

    @property
    def parts(self) -> Parts:
        """What the kernel reads."""
        gate = (None,) * len(self.up.parts) if self.gate is None else self.gate.parts
        return [*gate, *self.up.parts, *self.down.parts]

    @property
    def kind(self) -> tuple[object, ...]:
        """What the feed-forward layers of all blocks have in common."""
        return self.gate is None, self.activation


@dataclass(frozen=True, slots=True, eq=False)
class Angles:
    """What queries and keys are turned by, the halves of a head against each other.

    Attributes:
        cos: For each pair of numbers, in rows side by side, shape ``(N, d / 2)``, float32.
        sin: As ``cos``.
        places: Row of each token, shape ``(T,)``, int64.
    """

    cos: Tensor
    sin: Tensor
    places: Tensor


class Turned(ctypes.Structure):
    """Angles, as ``parts.h`` has them."""

    _fields_ = [(name, ctypes.c_void_p) for name in ("cos", "sin", "places")]


def turned(angles: Sequence[Angles]) -> ctypes.Array[Turned]:
    """Angles for a kernel; they must be kept as long as it reads them."""
    rows = ((one.cos.data_ptr(), one.sin.data_ptr(), one.places.data_ptr()) for one in angles)
    return (Turned * len(angles))(*(Turned(*row) for row in rows))


class Blocks:
    """Blocks that run one after another.

    Args:
        kernel: What runs them; ``None`` if nothing does.
        stack: Such as it fits.
        parts: What it reads of them.
        shared: What they have in common, as the kernel reads it.

    Attributes:
        shapes: Inputs and outputs of each linear layer.
        spent: Where seconds of linear layers, attention and norms are added that the calling
            thread is on a processor for; ``None`` if nobody asks.
    """

    def __init__(
        self,
        kernel: Kernel | None,
        stack: Sequence[Block],
        parts: Parts,
        shared: ctypes.Structure,
    ) -> None:
        if kernel is None:
            raise RuntimeError("no kernel here runs such blocks; ask `fits` first")
        self._run, self._kept, self._shared = kernel.run, parts, shared
        self._dtype, self._parts = kernel.variant.dtype, pointers_to(parts)
        layers = [panels for block in stack for panels in block.layers]
        self.shapes = [(panels.inputs, panels.outputs) for panels in layers]
        self.spent: ctypes.Array[ctypes.c_double] | None = None

    def through(self, x: Tensor, batch: TokenBatch, *given: Any) -> Tensor:
        """Take token vectors through all blocks, in place.

        Args:
            x: Shape ``(T, H)``, rows side by side.
            batch: Where each sequence lies.
            given: What else the kernel is to know.

        Raises:
            MemoryError: There is none for queries, keys and values.
            ValueError: Token vectors are not such as the blocks take.
        """
        width = self.shapes[0][0]
        if x.dtype != self._dtype or x.shape[1:] != (width,) or not x.is_contiguous():
            raise ValueError(
                f"{x.dtype} of shape {tuple(x.shape)} was given to blocks that take {self._dtype} "
                f"of width {width}, rows side by side"
            )
        failed = self._run(
            *(x.data_ptr(), self._parts, ctypes.byref(self._shared)),
            *(rows.data_ptr() for rows in (batch.starts, batch.lengths, batch.seen)),
            *(batch.size, *given, torch.get_num_threads(), self.spent),
        )
        if failed:
            raise MemoryError(f"no memory for queries, keys and values of {len(x)} tokens")
        return x


def kernel_of(source: Source, layers: Sequence[Panels]) -> Kernel | None:
    """The kernel that multiplies all layers, of which some may be in int8.

    Weights that are not are laid out for it as for the others of the number format.
    """
    variants = {panels.kernel.variant for panels in layers}
    quantised = variants.intersection(INT8_VARIANTS)
    try:
        if quantised:
            return compiled(source, quantised.pop())
    except BuildFailed:
        return None
    return best(source, layers[0].dtype)


def norm_parts(norm: Norm | None) -> Parts:
    """What the kernel reads of a norm: scale and shift, where they are."""
    return [None, None] if norm is None else [numbers(norm.scale), numbers(norm.shift)]


def numbers(x: Tensor | None) -> Tensor | None:
    """In the float32 that the kernel normalises in."""
    return None if x is None else aligned(x.detach().float())


def shapes_of(layers: Iterable[Panels]) -> tuple[object, ...]:
    """Sizes and number formats of linear layers."""
    return tuple((panels.inputs, panels.outputs, panels.dtype) for panels in layers)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Block:
    """What blocks of all kinds have: linear layers around attention, and behind it.

    Attributes:
        qkv: To queries, keys and values.
        out: Of attention.
        inner: The feed-forward layers.
    """

    qkv: Panels
    out: Panels
    inner: FeedForward

    @property
    def layers(self) -> list[Panels]:
        """In the order in which they run."""
        return [self.qkv, self.out, *self.inner.layers]

    @property
    def kind(self) -> tuple[object, ...]:
        """What all blocks of a stack have in common."""
        return shapes_of(self.layers), self.inner.kind


def kernel_for(source: Source, stack: Sequence[Block]) -> Kernel | None:
    """The kernel that runs such blocks one after another, if there is one here.

    They are alike, their activation is one that kernels apply, and rows fill whole registers.
    """
    if not stack:
        return None
    first = stack[0]
    kernel = kernel_of(source, [panels for block in stack for panels in block.layers])
    if kernel is None or first.inner.activation not in ACTIVATIONS:
        return None
    whole = first.qkv.inputs % kernel.variant.lanes == 0
    return kernel if whole and all(block.kind == first.kind for block in stack) else None
