"""Linear layers in int8 on the CPU: weights as whole numbers, laid out for the compiled kernel.

A weight is a whole number times the scale of its output. What it is multiplied with is quantised
row by row while the kernel runs, so nothing about texts is fixed before but the smoothing of
inputs: each is divided by a number of its own, and the weights that it meets are multiplied by
that (Xiao et al. 2022, arXiv:2211.10438, section 4).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from stelae.nn.kernels.linear import SOURCE, Panels, aligned, bias_of, in_panels, whole_panels
from stelae.nn.kernels.variants import Kernel, compiled, int8_variant

CELL = 4
"""Whole numbers that are multiplied together."""

LARGEST = 127
"""Of a weight."""

WIDEST = 2**16
"""Inputs whose products can be summed in 32 bits."""


def kernel_for(dtype: torch.dtype) -> Kernel:
    """The kernel that multiplies in int8 between numbers of a format.

    Raises:
        BuildFailed: It cannot be compiled here.
        RuntimeError: The processor lacks the instructions.
    """
    variant = int8_variant(dtype)
    if variant is None:
        raise RuntimeError("the processor lacks AVX512-VNNI")
    return compiled(SOURCE, variant)


def whole_weights(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Weights as whole numbers from -127 to 127, and the scale of each output.

    Args:
        weight: float32, shape ``(outputs, inputs)``.

    Returns:
        int8 of the same shape; float32, shape ``(outputs,)``, 0 for outputs of no weight.
    """
    scales = weight.abs().amax(dim=1) / LARGEST
    inverse = torch.where(scales > 0, 1 / scales, 0)
    whole = torch.round(weight * inverse[:, None]).clamp(-LARGEST, LARGEST)
    return whole.to(torch.int8), scales


def quantised(
    kernel: Kernel, weight: Tensor, bias: Tensor | None, smoothing: Tensor | None = None
) -> Panels:
    """Lay weights out in int8.

    Args:
        kernel: Such as ``kernel_for`` finds.
        weight: Shape ``(outputs, inputs)``.
        bias: Shape ``(outputs,)``.
        smoothing: What each input is multiplied by before it is quantised, shape ``(inputs,)``;
            weights are divided by it.
    """
    outputs, inputs = weight.shape
    if inputs > WIDEST:
        raise ValueError(f"int8 takes up to {WIDEST} inputs, not {inputs}")
    by = torch.ones(inputs) if smoothing is None else smoothing.float()
    whole, scales = whole_weights(weight.detach().float() / by)
    rows, variant = functional.pad(whole, (0, -inputs % CELL)), kernel.variant
    parts = (
        in_panels(rows, variant, CELL),
        bias_of(weight, bias, variant),
        aligned(whole_panels(scales, variant)),
        aligned(whole_panels(whole.sum(dim=1, dtype=torch.int32), variant)),
        aligned(functional.pad(by, (0, -inputs % variant.lanes))),
    )
    return Panels(kernel, parts, inputs, outputs)
