"""Blocks that a compiled kernel runs as one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Generic, TypeVar

from torch import Tensor, nn

from stelae.nn.kernels import postnorm, prenorm
from stelae.nn.kernels.blocks import FeedForward, Norm
from stelae.nn.kernels.linear import Panels
from stelae.nn.layers.linear import Adaptable, GatedLinear, Linear
from stelae.nn.layers.norm import LayerNorm, RmsNorm
from stelae.nn.layers.postnorm import PostNormLayer
from stelae.nn.layers.prenorm import Parts

B = TypeVar("B", postnorm.Blocks, prenorm.Blocks)


_UPDATE = attrgetter("update")


@dataclass(frozen=True, slots=True, eq=False)
class WholeStack(Generic[B]):
    """All blocks of a model.

    Attributes:
        blocks: What runs them.
        layers: Their linear layers.
    """

    blocks: B
    layers: tuple[Adaptable, ...]

    @property
    def adapted(self) -> bool:
        """Whether an adapter wants to change a product of theirs now."""
        return any(map(_UPDATE, self.layers))


class _NotWhole(Exception):
    """A layer is of a kind that no kernel runs so."""


def whole_stack(stack: Iterable[nn.Module]) -> WholeStack[postnorm.Blocks] | None:
    """Post-norm blocks as one; ``None`` where no kernel runs them so.

    Args:
        stack: The blocks in their order, laid out.
    """
    layers = list(stack)
    try:
        blocks = [_postnorm_block(layer) for layer in layers]
    except _NotWhole:
        return None
    if not postnorm.fits(blocks):
        return None
    return WholeStack(postnorm.Blocks(blocks), _adaptable(layers))


def whole_prenorm_stack(
    stack: Sequence[nn.Module],
    parts: Callable[[nn.Module], Parts],
    last: RmsNorm | LayerNorm,
) -> WholeStack[prenorm.Blocks] | None:
    """Pre-norm blocks and the norm behind them as one; ``None`` where no kernel runs them so.

    Args:
        stack: The blocks in their order, laid out.
        parts: What each consists of.
        last: The norm.
    """
    consists = [parts(layer) for layer in stack]
    try:
        blocks = [_prenorm_block(one) for one in consists]
    except _NotWhole:
        return None
    norms = [norm for one in consists for norm in one.norms]
    shared = consists[0].shared if consists else None
    if shared is None or any(one.shared != shared for one in consists):
        return None
    if any(norm.eps != shared.eps for norm in (*norms, last)):
        return None
    if not prenorm.fits(blocks, shared):
        return None
    return WholeStack(prenorm.Blocks(blocks, _norm(last), shared), _adaptable(stack))


def _postnorm_block(layer: nn.Module) -> postnorm.Block:
    if not isinstance(layer, PostNormLayer) or not layer.united:
        raise _NotWhole
    if layer.out_norm.eps != layer.down_norm.eps:
        raise _NotWhole
    return postnorm.Block(
        qkv=_panels(layer.qkv),
        out=_panels(layer.out),
        out_norm=_norm(layer.out_norm),
        inner=_feed_forward(layer.up, layer.down),
        down_norm=_norm(layer.down_norm),
        heads=layer.heads,
        eps=layer.out_norm.eps,
    )


def _prenorm_block(parts: Parts) -> prenorm.Block:
    return prenorm.Block(
        attention_norm=_norm_if(parts.attention_norm),
        qkv=_panels(parts.qkv),
        q_norm=_scale_if(parts.q_norm),
        k_norm=_scale_if(parts.k_norm),
        out=_panels(parts.out),
        attention_after=_norm_if(parts.attention_after),
        inner_norm=_norm(parts.mlp_norm),
        inner=_feed_forward(parts.up, parts.down),
        after=_norm_if(parts.mlp_after),
        window=(parts.span.before, parts.span.after),
    )


def _panels(layer: Linear) -> Panels:
    if not isinstance(layer.packed, Panels):
        raise _NotWhole
    return layer.packed


def _feed_forward(up: Linear | GatedLinear, down: Linear) -> FeedForward:
    if isinstance(up, Linear):
        return FeedForward(None, _panels(up), _panels(down), up.activation)
    halves = up.packed or ()
    panels = [half for half in halves if isinstance(half, Panels)]
    if len(panels) < 2:
        raise _NotWhole
    gate, wide = panels
    return FeedForward(gate, wide, _panels(down), up.activation)


def _norm(norm: RmsNorm | LayerNorm) -> Norm:
    if isinstance(norm, RmsNorm):
        return Norm(norm.scale, None)
    return Norm(norm.weight, norm.weight.new_zeros(norm.shape) if norm.bias is None else norm.bias)


def _norm_if(norm: RmsNorm | LayerNorm | None) -> Norm | None:
    return None if norm is None else _norm(norm)


def _scale_if(norm: RmsNorm | None) -> Tensor | None:
    return None if norm is None else norm.scale


def _adaptable(stack: Iterable[nn.Module]) -> tuple[Adaptable, ...]:
    modules = dict.fromkeys(module for layer in stack for module in layer.modules())
    return tuple(module for module in modules if isinstance(module, Adaptable))
