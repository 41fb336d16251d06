"""Linear layers on the CPU: weights laid out for the compiled kernel, where it can be had."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from stelae.nn.kernels.variants import INT, LONG, POINTER, Kernel, Source, best
from stelae.nn.kernels.variants import note as note_of

SOURCE = Source(
    "linear",
    "linear layers",
    "stelae_linear",
    (
        *(POINTER, LONG, LONG, POINTER, POINTER),
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
        weight: Panels of outputs, within them cells of inputs.
        bias: float32, shape ``(outputs,)`` and zeros up to whole panels.
        inputs: Width of what is multiplied.
        outputs: Width of the result.
    """

    kernel: Kernel
    weight: Tensor
    bias: Tensor
    inputs: int
    outputs: int

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
        if x.dtype != self.weight.dtype or x.shape[-1] != self.inputs:
            raise ValueError(
                f"{x.dtype} of width {x.shape[-1]} was given to a layer that takes "
                f"{self.weight.dtype} of width {self.inputs}"
            )
        beside = None if other is None else _beside(other, out)
        self.kernel.run(
            *(rows.data_ptr(), rows.stride(0), len(rows)),
            *(self.weight.data_ptr(), self.bias.data_ptr(), self.inputs, self.outputs),
            *(activation, joining),
            *((None, 0) if beside is None else (beside.data_ptr(), beside.stride(0))),
            *(out.data_ptr(), torch.get_num_threads()),
        )
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
    if weight.device.type != "cpu" or _tiles(weight.dtype):
        return None
    kernel = best(SOURCE, weight.dtype)
    if kernel is None or weight.shape[1] % kernel.variant.step:
        return None
    return panels(kernel, weight, bias)


def note(dtype: torch.dtype) -> str:
    """Who multiplies in a number format here, for people."""
    if _tiles(dtype):
        return f"{SOURCE.what} by PyTorch: the processor multiplies in tiles (AMX)"
    return note_of(SOURCE, dtype)


def _tiles(dtype: torch.dtype) -> bool:
    """Whether the processor multiplies such numbers in tiles (AMX), which oneDNN makes use of."""
    return dtype == torch.bfloat16 and torch.cpu._is_amx_tile_supported()


def panels(kernel: Kernel, weight: Tensor, bias: Tensor | None) -> Panels:
    """As ``lay_out``, for a kernel that is named."""
    variant = kernel.variant
    outputs, inputs = weight.shape
    whole = REGISTERS[variant.lanes] * variant.lanes
    missing = -outputs % whole
    rows = functional.pad(weight.detach(), (0, 0, 0, missing)) if missing else weight.detach()
    cells = rows.view(-1, whole, inputs // variant.step, variant.step)
    shift = weight.new_zeros(outputs) if bias is None else bias.detach()
    return Panels(
        kernel,
        aligned(cells.transpose(1, 2)),
        aligned(functional.pad(shift.float(), (0, missing))),
        inputs,
        outputs,
    )


def aligned(x: Tensor) -> Tensor:
    """A copy whose first number lies where registers are read from, as all that PyTorch makes.

    Raises:
        MemoryError: It does not.
    """
    made = torch.empty(x.shape, dtype=x.dtype).copy_(x)
    if made.data_ptr() % 64:
        raise MemoryError("PyTorch gave memory that is not aligned to 64 bytes")
    return made
