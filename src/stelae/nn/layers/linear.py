"""Linear layers on packed tokens, prepacked for oneDNN where that is faster.

On CPU the weight is laid out once in oneDNN's blocked form. Measured on an AMD
Zen 5 core with torch 2.13 this is 2.3 times the plain call in fp32 and, in
bf16, 4.6 times plain fp32 (``benchmarks/linear.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Activation = Literal["none", "gelu", "gelu_tanh", "quick_gelu", "relu", "silu", "tanh"]

FUSED: dict[str, tuple[str, str]] = {
    "none": ("none", ""),
    "gelu": ("gelu", "none"),
    "gelu_tanh": ("gelu", "tanh"),
    "relu": ("relu", ""),
    "silu": ("swish", ""),
    "tanh": ("tanh", ""),
}
"""Activations that oneDNN applies while it multiplies: its name for them, and the form."""


def _identity(x: Tensor) -> Tensor:
    return x


def _gelu_tanh(x: Tensor) -> Tensor:
    return functional.gelu(x, approximate="tanh")


def _quick_gelu(x: Tensor) -> Tensor:
    return torch.mul(x, 1.702).sigmoid_().mul_(x)  # one new tensor, not three


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "none": _identity,
    "gelu": functional.gelu,
    "gelu_tanh": _gelu_tanh,
    "quick_gelu": _quick_gelu,
    "relu": functional.relu,
    "silu": functional.silu,
    "tanh": torch.tanh,
}
"""Activations by our names; ``gelu_tanh`` and ``quick_gelu`` are the approximations of
Hendrycks and Gimpel 2016 (arXiv:1606.08415)."""

CONFIG_NAMES: dict[str, Activation] = {
    "gelu": "gelu",
    "gelu_python": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "quick_gelu": "quick_gelu",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
    "tanh": "tanh",
}
"""Activations by their names in ``config.json``."""


class Packable(nn.Module):
    """A layer that can lay its weights out for oneDNN."""

    def prepack(self) -> None:
        """Lay the weights out for oneDNN; a no-op off the CPU. The plain ones are freed."""
        raise NotImplementedError


def prepack(root: nn.Module) -> None:
    """Lay out the weights of all layers in a module."""
    for module in root.modules():
        if isinstance(module, Packable):
            module.prepack()


def _pack(weight: Tensor) -> Tensor | None:
    if weight.device.type != "cpu" or not torch._C._has_mkldnn:
        return None
    packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight.detach(), None)
    return packed


Update = Callable[[Tensor, Tensor], Tensor]
"""From a layer's inputs ``(N, inputs)`` and products ``(N, outputs)``, which it may change,
to what counts as its products."""


class Adaptable(Packable):
    """A linear layer whose product an adapter may change.

    Attributes:
        update: Applied to the product before any activation; ``None``, and no work, if no
            text of the batch has an adapter.
        weight: As the class says; empty once it is laid out for oneDNN.
        bias: As the class says.
    """

    weight: Tensor
    bias: Tensor | None

    def __init__(self) -> None:
        super().__init__()
        self.update: Update | None = None

    def updated(self, x: Tensor, y: Tensor) -> Tensor:
        """The product ``y`` of ``x`` as adapters want it."""
        return y if self.update is None else self.update(x, y)


class Linear(Adaptable):
    """``activation(x W^T + b)``, with an optional residual added instead.

    Args:
        inputs: Width of ``x``.
        outputs: Width of the result.
        bias: Whether ``b`` exists.
        activation: Applied to the result.
    """

    def __init__(
        self, inputs: int, outputs: int, *, bias: bool = True, activation: Activation = "none"
    ) -> None:
        super().__init__()
        self.inputs, self.outputs, self.activation = inputs, outputs, activation
        self.weight = nn.Parameter(torch.empty(outputs, inputs), requires_grad=False)
        self.bias = nn.Parameter(torch.empty(outputs), requires_grad=False) if bias else None
        self._packed: Tensor | None = None

    def prepack(self) -> None:
        """Lay the weight out for oneDNN; a no-op off the CPU. The plain weight is freed."""
        if self._packed is not None:
            return
        self._packed = _pack(self.weight)
        if self._packed is not None:
            self.weight = nn.Parameter(self.weight.new_empty(0), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer.

        Args:
            x: Shape ``(T, inputs)``.

        Returns:
            Shape ``(T, outputs)``.
        """
        if self._packed is None or self.update is not None or self.activation not in FUSED:
            return ACTIVATIONS[self.activation](self._multiply(x))
        return _fused(x, self._packed, self.bias, self.activation)

    def add(self, x: Tensor, residual: Tensor) -> Tensor:
        """``residual + x W^T + b`` in one pass.

        Args:
            x: Shape ``(T, inputs)``.
            residual: Shape ``(T, outputs)``.
        """
        if self._packed is None or self.update is not None:
            return self._multiply(x).add_(residual)
        sum_: Tensor = torch.ops.mkldnn._linear_pointwise.binary(
            x, residual, self._packed, self.bias, "add"
        )
        return sum_

    def _multiply(self, x: Tensor) -> Tensor:
        if self._packed is None:
            return self.updated(x, functional.linear(x, self.weight, self.bias))
        return self.updated(x, _fused(x, self._packed, self.bias, "none"))


class GatedLinear(Adaptable):
    """``activation(x W_gate^T + b_gate) * (x W_up^T + b_up)``.

    Args:
        inputs: Width of ``x``.
        outputs: Width of the result.
        activation: Applied to the gate.
        bias: Whether there are biases.

    Attributes:
        weight: Gate above up, shape ``(2 outputs, inputs)``.
        bias: Likewise, shape ``(2 outputs,)``.
    """

    def __init__(
        self, inputs: int, outputs: int, activation: Activation, *, bias: bool = False
    ) -> None:
        super().__init__()
        self.activation = activation
        self.weight = nn.Parameter(torch.empty(2 * outputs, inputs), requires_grad=False)
        self.bias = nn.Parameter(torch.empty(2 * outputs), requires_grad=False) if bias else None
        self._packed: tuple[Tensor, Tensor] | None = None

    def prepack(self) -> None:
        """Lay the weights out for oneDNN; a no-op off the CPU. The plain ones are freed."""
        if self._packed is not None:
            return
        gate, up = (_pack(half.contiguous()) for half in self.weight.chunk(2))
        if gate is not None and up is not None and self.activation in FUSED:
            self._packed = gate, up
            self.weight = nn.Parameter(self.weight.new_empty(0), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Shape ``(T, inputs)`` to ``(T, outputs)``."""
        if self._packed is None or self.update is not None:
            gate, up = self._multiply(x).chunk(2, dim=-1)
            return ACTIVATIONS[self.activation](gate).mul_(up)
        of_gate, of_up = self._biases()
        gated = _fused(x, self._packed[0], of_gate, self.activation)
        product: Tensor = torch.ops.mkldnn._linear_pointwise.binary(
            x, gated, self._packed[1], of_up, "mul"
        )
        return product

    def _multiply(self, x: Tensor) -> Tensor:
        """Gate beside up, without the activation; shape ``(T, 2 outputs)``."""
        if self._packed is None:
            return self.updated(x, functional.linear(x, self.weight, self.bias))
        halves = zip(self._packed, self._biases(), strict=True)
        product = torch.cat([_fused(x, w, b, "none") for w, b in halves], dim=-1)
        return self.updated(x, product)

    def _biases(self) -> tuple[Tensor | None, Tensor | None]:
        if self.bias is None:
            return None, None
        of_gate, of_up = self.bias.chunk(2)
        return of_gate, of_up


def _fused(x: Tensor, packed: Tensor, bias: Tensor | None, activation: str) -> Tensor:
    name, form = FUSED[activation]
    y: Tensor = torch.ops.mkldnn._linear_pointwise(x, packed, bias, name, [], form)
    return y
