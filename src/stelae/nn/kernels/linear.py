"""Linear layers on the CPU: weights laid out for the compiled kernel, where it can be had."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from stelae.nn.kernels import tiles
from stelae.nn.kernels.variants import INT, LONG, POINTER, TILED, Kernel, Source, Variant, best
from stelae.nn.kernels.variants import note as note_of

SOURCE = Source(
    "linear",
    "linear layers",
    "stelae_linear",
    (
        *(POINTER, LONG, LONG, POINTER),
        *(INT, INT, INT, INT),
        *(POINTER, LONG, POINTER, INT),
    ),
)

ACTIVATIONS = {"none": 0, "gelu": 1, "gelu_tanh": 2, "quick_gelu": 3, "relu": 4, "silu": 5}
"""Places in the list of ``functions.h``."""

REGISTERS = {16: 4, 8: 2}
"""Registers of outputs that are summed beside each other, by sums in a register."""

ALONE, ADDED, MULTIPLIED = 0, 1, 2
"""What becomes of a result and other numbers."""


@dataclass(frozen=True, slots=True, eq=False)
class Panels:
    """The weights of one layer, laid out for a kernel as ``products.h`` says.

    Attributes:
        kernel: Which lays them out so.
        parts: What ``layer_of`` in ``quantised.h`` reads, in its order: first the weights, in
            panels of outputs, within them cells of inputs; then the bias in float32, with zeros
            up to whole panels.
        inputs: Width of what is multiplied.
        outputs: Width of the result.
    """

    kernel: Kernel
    parts: tuple[Tensor | None, ...]
    inputs: int
    outputs: int
    _pointers: ctypes.Array[ctypes.c_void_p] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_pointers", pointers_to(self.parts))

    @property
    def dtype(self) -> torch.dtype:
        """Of what is multiplied, and of the result."""
        return self.kernel.variant.dtype

    def takes(self, activation: str) -> bool:
        """Whether it is applied while rows are multiplied."""
        return activation in ACTIVATIONS

    def product(self, x: Tensor, activation: str = "none") -> Tensor:
        """``activation(x W^T + b)``, shape ``(..., inputs)`` to ``(..., outputs)``."""
        return self._run(x, ACTIVATIONS[activation], ALONE, None)

    def added(self, x: Tensor, other: Tensor) -> Tensor:
        """``other + x W^T + b``, rounded once."""
        return self._run(x, 0, ADDED, other)

    def multiplied(self, x: Tensor, other: Tensor) -> Tensor:
        """``other * (x W^T + b)``, rounded once."""
        return self._run(x, 0, MULTIPLIED, other)

    def _run(self, x: Tensor, activation: int, joining: int, other: Tensor | None) -> Tensor:
        rows, out = _rows(x), x.new_empty(*x.shape[:-1], self.outputs)
        if x.dtype != self.dtype or x.shape[-1] != self.inputs:
            raise ValueError(
                f"{x.dtype} of width {x.shape[-1]} was given to a layer that takes "
                f"{self.dtype} of width {self.inputs}"
            )
        beside = None if other is None else _beside(other, out)
        failed = self.kernel.run(
            *(rows.data_ptr(), rows.stride(0), len(rows)),
            *(self._pointers, self.inputs, self.outputs, activation, joining),
            *((None, 0) if beside is None else (beside.data_ptr(), beside.stride(0))),
            *(out.data_ptr(), torch.get_num_threads()),
        )
        if failed:
            raise MemoryError(f"no memory to multiply {len(rows)} rows of width {self.inputs}")
        return out


def _rows(x: Tensor) -> Tensor:
    """As a matrix whose rows hold their numbers side by side."""
    if x.dim() == 2 and x.stride(1) == 1:
        return x
    return x.reshape(-1, x.shape[-1]).contiguous()


def _beside(other: Tensor, out: Tensor) -> Tensor:
    """The rows of what is added to results or multiplied by them."""
    if other.shape != out.shape or other.dtype != out.dtype:
        raise ValueError(
            f"{other.dtype} of shape {tuple(other.shape)} was given beside results in {out.dtype} "
            f"of shape {tuple(out.shape)}"
        )
    return _rows(other)


def lay_out(weight: Tensor, bias: Tensor | None) -> Panels | None:
    """Lay weights out, or not where there is no kernel for them.

    Args:
        weight: Shape ``(outputs, inputs)``.
        bias: Shape ``(outputs,)``.
    """
    if weight.device.type != "cpu" or _onednn_is_ahead(weight.dtype):
        return None
    kernel = best(SOURCE, weight.dtype)
    if kernel is None or weight.shape[1] % kernel.variant.step:
        return None
    return panels(kernel, weight, bias)


def note(dtype: torch.dtype) -> str:
    """Who multiplies in a number format here, for people."""
    if _onednn_is_ahead(dtype):
        return f"{SOURCE.what} by PyTorch: the processor multiplies in tiles (AMX)"
    return note_of(SOURCE, dtype)


def _onednn_is_ahead(dtype: torch.dtype) -> bool:
    """Whether it multiplies such numbers in the tiles of the processor, and kernels here do not."""
    return dtype == torch.bfloat16 and tiles.offered() and not TILED.runs()


def panels(kernel: Kernel, weight: Tensor, bias: Tensor | None) -> Panels:
    """As ``lay_out``, for a kernel that is named."""
    variant = kernel.variant
    outputs, inputs = weight.shape
    parts = (in_panels(weight.detach(), variant, variant.step), bias_of(weight, bias, variant))
    return Panels(kernel, (*parts, None, None, None), inputs, outputs)


def in_panels(rows: Tensor, variant: Variant, cell: int) -> Tensor:
    """Weights in panels of outputs, with zeros up to whole ones, and within them in cells.

    Args:
        rows: Shape ``(outputs, inputs)``.
        variant: How wide a panel is.
        cell: Numbers of a cell, of which ``inputs`` is a multiple.
    """
    cells = whole_panels(rows, variant).view(-1, _width(variant), rows.shape[1] // cell, cell)
    return aligned(cells.transpose(1, 2))


def bias_of(weight: Tensor, bias: Tensor | None, variant: Variant) -> Tensor:
    """The bias of a layer as kernels read it."""
    shift = weight.new_zeros(len(weight)) if bias is None else bias.detach()
    return aligned(whole_panels(shift.float(), variant))


def whole_panels(x: Tensor, variant: Variant) -> Tensor:
    """What there is for each output, with zeros up to whole panels of them."""
    missing = -len(x) % _width(variant)
    return functional.pad(x, (0, 0) * (x.dim() - 1) + (0, missing)) if missing else x


def _width(variant: Variant) -> int:
    """Outputs of a panel."""
    return REGISTERS[variant.lanes] * variant.lanes


def pointers_to(parts: Sequence[Tensor | None]) -> ctypes.Array[ctypes.c_void_p]:
    """Where tensors lie, for a kernel; they must be kept as long as it reads them."""
    return (POINTER * len(parts))(*(None if x is None else x.data_ptr() for x in parts))


def aligned(x: Tensor) -> Tensor:
    """A copy whose first number lies where registers are read from, as all that PyTorch makes.

    Raises:
        MemoryError: It does not.
    """
    made = torch.empty(x.shape, dtype=x.dtype).copy_(x)
    if made.data_ptr() % 64:
        raise MemoryError("PyTorch gave memory that is not aligned to 64 bytes")
    return made
