"""Linear layers on packed tokens, their weights laid out for the processor where that is faster.

On CPU weights are laid out once: for the kernel compiled here, where there is one, else for
oneDNN. Measured on an AMD Zen 5 core with torch 2.13, oneDNN's own form is 2.3 times the plain
call in fp32 and, in bf16, 4.6 times plain fp32 (``benchmarks/linear.py``); the kernel is as fast
for many rows and up to twice as fast for few.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from stelae.nn.kernels import linear as compiled
from stelae.nn.kernels.quantised import quantised
from stelae.nn.kernels.variants import Kernel

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


class Product(Protocol):
    """The weights of a linear layer, laid out, and what is computed with them.

    Each takes ``x`` of shape ``(T, inputs)`` to ``(T, outputs)``.
    """

    def takes(self, activation: str) -> bool:
        """Whether it is applied while rows are multiplied."""
        ...

    def product(self, x: Tensor, activation: str = "none") -> Tensor:
        """``activation(x W^T + b)``."""
        ...

    def added(self, x: Tensor, other: Tensor) -> Tensor:
        """``other + x W^T + b``."""
        ...

    def multiplied(self, x: Tensor, other: Tensor) -> Tensor:
        """``other * (x W^T + b)``."""
        ...


class OneDnn:
    """Weights in oneDNN's blocked form.

    Args:
        weight: Shape ``(outputs, inputs)``.
        bias: Shape ``(outputs,)``.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight.detach(), None)
        self._bias = bias

    def takes(self, activation: str) -> bool:
        """Whether it is applied while rows are multiplied."""
        return activation in FUSED

    def product(self, x: Tensor, activation: str = "none") -> Tensor:
        """``activation(x W^T + b)``."""
        name, form = FUSED[activation]
        y: Tensor = torch.ops.mkldnn._linear_pointwise(x, self._weight, self._bias, name, [], form)
        return y

    def added(self, x: Tensor, other: Tensor) -> Tensor:
        """``other + x W^T + b``."""
        return self._joined(x, other, "add")

    def multiplied(self, x: Tensor, other: Tensor) -> Tensor:
        """``other * (x W^T + b)``."""
        return self._joined(x, other, "mul")

    def _joined(self, x: Tensor, other: Tensor, how: str) -> Tensor:
        y: Tensor = torch.ops.mkldnn._linear_pointwise.binary(
            x, other, self._weight, self._bias, how
        )
        return y


class Packable(nn.Module):
    """A part of a model that can lay weights out for the processor."""

    def prepack(self) -> None:
        """Lay the weights out; a no-op off the CPU. The plain ones are freed."""
        raise NotImplementedError


def prepack(root: nn.Module) -> None:
    """Lay out the weights of all layers in a module."""
    for module in root.modules():
        if isinstance(module, Packable):
            module.prepack()


def _pack(weight: Tensor, bias: Tensor | None) -> Product | None:
    if (panels := compiled.lay_out(weight, bias)) is not None:
        return panels
    if weight.device.type != "cpu" or not torch._C._has_mkldnn:
        return None
    return OneDnn(weight, bias)


Update = Callable[[Tensor, Tensor], Tensor]
"""From a layer's inputs ``(N, inputs)`` and products ``(N, outputs)``, which it may change,
to what counts as its products."""


@dataclass(frozen=True, slots=True, eq=False)
class Int8:
    """How a layer becomes one in int8.

    Attributes:
        kernel: Multiplies; its numbers have the format that the layer computed in before.
        weight: As the layer's, in the format of the checkpoint.
        bias: Likewise.
        smoothing: What each input is multiplied by before it is quantised, shape ``(inputs,)``.
    """

    kernel: Kernel
    weight: Tensor
    bias: Tensor | None
    smoothing: Tensor | None = None

    def laid_out(self) -> Product:
        """All outputs of the layer."""
        return quantised(self.kernel, self.weight, self.bias, self.smoothing)

    def halves(self) -> tuple[Product, Product]:
        """The first half of the outputs, and the second."""
        weights = self.weight.chunk(2)
        biases = (None, None) if self.bias is None else self.bias.chunk(2)
        first, second = (
            quantised(self.kernel, weight, bias, self.smoothing)
            for weight, bias in zip(weights, biases, strict=True)
        )
        return first, second


class Adaptable(Packable):
    """A linear layer whose product an adapter may change.

    Attributes:
        update: Applied to the product before any activation; ``None``, and no work, if no
            text of the batch has an adapter.
        weight: As the class says; empty once it is laid out.
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

    def quantise(self, how: Int8) -> None:
        """Multiply in int8 from now on. The plain weight is freed."""
        raise NotImplementedError


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
        self.packed: Product | None = None

    def prepack(self) -> None:
        """Lay the weight out; a no-op off the CPU. The plain weight is freed."""
        if self.packed is not None:
            return
        self.packed = _pack(self.weight, self.bias)
        if self.packed is not None:
            self.weight = nn.Parameter(self.weight.new_empty(0), requires_grad=False)

    def quantise(self, how: Int8) -> None:
        """Multiply in int8 from now on. The plain weight is freed."""
        self.packed = how.laid_out()
        self.weight = nn.Parameter(self.weight.new_empty(0), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer.

        Args:
            x: Shape ``(T, inputs)``.

        Returns:
            Shape ``(T, outputs)``.
        """
        packed = self.packed
        if packed is None or self.update is not None or not packed.takes(self.activation):
            return ACTIVATIONS[self.activation](self._multiply(x))
        return packed.product(x, self.activation)

    def add(self, x: Tensor, residual: Tensor) -> Tensor:
        """``residual + x W^T + b`` in one pass.

        Args:
            x: Shape ``(T, inputs)``.
            residual: Shape ``(T, outputs)``.
        """
        if self.packed is None or self.update is not None:
            return self._multiply(x).add_(residual)
        return self.packed.added(x, residual)

    def _multiply(self, x: Tensor) -> Tensor:
        if self.packed is None:
            return self.updated(x, functional.linear(x, self.weight, self.bias))
        return self.updated(x, self.packed.product(x))


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
        self.packed: tuple[Product, Product] | None = None

    def prepack(self) -> None:
        """Lay the weight out; a no-op off the CPU. The plain ones are freed."""
        if self.packed is not None:
            return
        halves = zip(self.weight.chunk(2), self._biases(), strict=True)
        gate, up = (_pack(half.contiguous(), bias) for half, bias in halves)
        if gate is not None and up is not None and gate.takes(self.activation):
            self.packed = gate, up
            self.weight = nn.Parameter(self.weight.new_empty(0), requires_grad=False)

    def quantise(self, how: Int8) -> None:
        """Multiply in int8 from now on. The plain weight is freed."""
        self.packed = how.halves()
        self.weight = nn.Parameter(self.weight.new_empty(0), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Shape ``(T, inputs)`` to ``(T, outputs)``."""
        if self.packed is not None and self.update is None:
            of_gate, of_up = self.packed
            if of_gate.takes(self.activation):
                return of_up.multiplied(x, of_gate.product(x, self.activation))
        gate, up = self._multiply(x).chunk(2, dim=-1)
        return ACTIVATIONS[self.activation](gate).mul_(up)

    def _multiply(self, x: Tensor) -> Tensor:
        """Gate beside up, without the activation; shape ``(T, 2 outputs)``."""
        if self.packed is None:
            return self.updated(x, functional.linear(x, self.weight, self.bias))
        return self.updated(x, torch.cat([half.product(x) for half in self.packed], dim=-1))

    def _biases(self) -> tuple[Tensor | None, Tensor | None]:
        if self.bias is None:
            return None, None
        of_gate, of_up = self.bias.chunk(2)
        return of_gate, of_up
