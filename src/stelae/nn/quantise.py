"""Int8 in a whole model: which layers there are, and giving them their whole numbers."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from stelae.errors import ModelLoadFailed
from stelae.nn.kernels.quantised import WIDEST
from stelae.nn.kernels.variants import Kernel
from stelae.nn.layers.linear import Adaptable, Int8

LEAST, MOST = 1e-12, 1e12
"""Of a smoothing. Beyond, as a file from elsewhere may have it, weights that are divided by it
and inputs that are multiplied by it become infinite or nothing."""


def layers_of(trunk: nn.Module) -> dict[str, Adaptable]:
    """The linear layers of a model by their names; one that runs several times is there once."""
    return {name: part for name, part in trunk.named_modules() if isinstance(part, Adaptable)}


def int8_of(
    named: Mapping[str, Tensor], name: str, kernel: Kernel, smoothing: Tensor | None
) -> Int8:
    """How one layer becomes one in int8.

    Args:
        named: The weights under the names of the modules, as the checkpoint has them.
        name: Of the layer.
        kernel: Which multiplies.
        smoothing: Of its inputs.
    """
    return Int8(kernel, named[f"{name}.weight"], named.get(f"{name}.bias"), smoothing)


def quantise(
    trunk: nn.Module, named: Mapping[str, Tensor], kernel: Kernel, smoothing: Mapping[str, Tensor]
) -> None:
    """Let layers multiply in int8.

    Args:
        trunk: Has its weights.
        named: The same, as the checkpoint has them.
        kernel: Which multiplies.
        smoothing: That of each layer that shall, by name.

    Raises:
        ModelLoadFailed: There is no such layer, or its smoothing is not such.
    """
    layers = layers_of(trunk)
    for name, by in smoothing.items():
        _check(name, by, named[f"{name}.weight"].shape[1] if name in layers else None)
        layers[name].quantise(int8_of(named, name, kernel, by))


def _check(name: str, by: Tensor, inputs: int | None) -> None:
    """See that a layer is there, can be in int8, and gets a number for each of its inputs."""
    if inputs is None:
        raise ModelLoadFailed(f"int8: the model has no linear layer {name}")
    if inputs > WIDEST:
        raise ModelLoadFailed(f"int8: {name} has {inputs} inputs, and {WIDEST} is the most")
    if by.dtype != torch.float32 or tuple(by.shape) != (inputs,):
        raise ModelLoadFailed(
            f"int8: the smoothing of {name} is {by.dtype} of shape {tuple(by.shape)}, not "
            f"float32 of shape {(inputs,)}"
        )
    if not bool(((by >= LEAST) & (by <= MOST)).all()):  # nor is what is no number
        raise ModelLoadFailed(
            f"int8: the smoothing of {name} has numbers that are not from {LEAST:g} to {MOST:g}"
        )
