"""Post-norm blocks that a compiled kernel runs as one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn

from stelae.nn.kernels.linear import Panels
from stelae.nn.kernels.postnorm import Block, Blocks, Norm, fits
from stelae.nn.layers.linear import Linear
from stelae.nn.layers.norm import LayerNorm
from stelae.nn.layers.postnorm import PostNormLayer


@dataclass(frozen=True, slots=True, eq=False)
class WholeStack:
    """All blocks of a model.

    Attributes:
        blocks: What runs them.
        layers: Their linear layers.
    """

    blocks: Blocks
    layers: tuple[Linear, ...]

    @property
    def adapted(self) -> bool:
        """Whether an adapter wants to change a product of theirs now."""
        return any(layer.update is not None for layer in self.layers)


def whole_stack(stack: Iterable[nn.Module]) -> WholeStack | None:
    """Blocks as one; ``None`` where no kernel runs them so.

    Args:
        stack: The blocks in their order, laid out.
    """
    layers: list[Linear] = []
    blocks: list[Block] = []
    for layer in stack:
        if type(layer) is not PostNormLayer or not isinstance(layer.up, Linear):
            return None
        linears = (layer.qkv, layer.out, layer.up, layer.down)
        panels = [one.packed for one in linears if isinstance(one.packed, Panels)]
        norms = [_norm(layer.out_norm), _norm(layer.down_norm)]
        if len(panels) < len(linears) or layer.out_norm.eps != layer.down_norm.eps:
            return None
        qkv, out, up, down = panels
        eps, activation = layer.out_norm.eps, layer.up.activation
        blocks.append(Block(qkv, out, norms[0], up, down, norms[1], layer.heads, activation, eps))
        layers += linears
    return WholeStack(Blocks(blocks), tuple(layers)) if fits(blocks) else None


def _norm(norm: LayerNorm) -> Norm:
    bias = norm.weight.new_zeros(norm.shape) if norm.bias is None else norm.bias
    return Norm(norm.weight, bias)
