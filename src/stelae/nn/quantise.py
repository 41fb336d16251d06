"""Int8 in a whole model: which layers there are, and giving them their whole numbers."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from stelae.nn.kernels.variants import Kernel
from stelae.nn.layers.linear import Adaptable, Int8
from stelae.nn.weights import Named


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
    trunk: nn.Module, named: Named, kernel: Kernel, smoothing: Mapping[str, Tensor]
) -> None:
    """Let layers multiply in int8.

    Args:
        trunk: Has its weights.
        named: The same, as the checkpoint has them.
        kernel: Which multiplies.
        smoothing: That of each layer that shall, by name.

    Raises:
        KeyError: There is no such layer.
    """
    layers = layers_of(trunk)
    for name, by in smoothing.items():
        layers[name].quantise(int8_of(named, name, kernel, by))
