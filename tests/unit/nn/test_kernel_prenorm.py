"""The compiled pre-norm blocks against their definition in float64, and under sanitizers."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from math import log2
from pathlib import Path
from typing import cast

import pytest
import torch
from fix_blocks import (
    are_the_same_alone,
    do_not_meet,
    keeps_to_the_second,
    roundings,
    size,
    spread,
)
from fix_kernels import batch_of, kernels, needs_compiler, only, threads, variants, watched
from fix_rows import BATCHES, turned
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from stelae.nn.batch import TokenBatch
from stelae.nn.kernels import linear, prenorm
from stelae.nn.kernels.blocks import Angles
from stelae.nn.kernels.prenorm import Shared
from stelae.nn.kernels.variants import Variant
from stelae.nn.layers.attention import EVERYWHERE, Span, split
from stelae.nn.layers.linear import ACTIVATIONS, Activation, GatedLinear, Linear, prepack
from stelae.nn.layers.norm import LayerNorm, RmsNorm
from stelae.nn.layers.prenorm import Parts
from stelae.nn.layers.rotary import Rotary, rotate
from stelae.nn.layers.whole import WholeStack, whole_prenorm_stack

HERE = Path(__file__).parent

Whole = WholeStack[prenorm.Blocks]


@dataclass(frozen=True)
class Shape:
    """Of blocks."""

    width: int = 64
    heads: int = 4
    kv_heads: int = 2
    head: int = 16
    inner: int = 96
    activation: Activation = "silu"
    blocks: int = 2
    centred: bool = False
    first_norm: bool = True
    qk_norm: bool = True
    sandwich: bool = False
    gated: bool = True
    bias: bool = False
    span: Span = EVERYWHERE
    scale: float | None = None
    softcap: float | None = None

    @property
    def shared(self) -> Shared:
        return Shared(self.heads, self.kv_heads, self.head, 1e-6, self.scale, self.softcap)


class Layer(nn.Module):
    """A block of a shape; every second one sees all of a text."""

    def __init__(self, shape: Shape, number: int) -> None:
        super().__init__()
        width, bias, mixed = shape.width, shape.bias, shape.heads * shape.head
        self.shape, self.span = shape, EVERYWHERE if number % 2 else shape.span

        def norm(wanted: bool) -> RmsNorm | LayerNorm | None:
            if wanted and shape.centred:
                return LayerNorm(width, 1e-6, bias=bias)
            return RmsNorm(width, 1e-6, offset=0.5) if wanted else None

        def of_heads() -> RmsNorm | None:  # a head may be as wide as a row
            return RmsNorm(shape.head, 1e-6, offset=0.5) if shape.qk_norm else None

        self.attention_norm = norm(shape.first_norm or number > 0)
        self.qkv = Linear(width, mixed + 2 * shape.kv_heads * shape.head, bias=bias)
        self.q_norm, self.k_norm = of_heads(), of_heads()
        self.out = Linear(mixed, width, bias=bias)
        self.attention_after = norm(shape.sandwich)
        self.mlp_norm = norm(True)
        inner, activation = shape.inner, shape.activation
        self.up = (
            GatedLinear(width, inner, activation, bias=bias)
            if shape.gated
            else Linear(width, inner, bias=bias, activation=activation)
        )
        self.down = Linear(shape.inner, width, bias=bias)
        self.mlp_after = norm(shape.sandwich)

    def parts(self) -> Parts:
        names = ("attention_norm", "qkv", "q_norm", "k_norm", "span", "out", "attention_after")
        rest = ("mlp_norm", "up", "down", "mlp_after")
        return Parts(
            **{name: getattr(self, name) for name in (*names, *rest)}, shared=self.shape.shared
        )


def parts_of(layer: nn.Module) -> Parts:
    return cast(Layer, layer).parts()


class Stack(nn.Module):
    """Blocks and their last norm, whose numbers all matter: sums of ordinary size."""

    def __init__(self, shape: Shape, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.shape = shape
        self.layers = nn.ModuleList(Layer(shape, number) for number in range(shape.blocks))
        self.last = RmsNorm(shape.width, 1e-6)
        spread(self)

    def whole(self, variant: Variant) -> Whole:
        """The blocks as one, by one kind of kernel."""
        laid_out = deepcopy(self).to(variant.dtype)
        with kernels(only(variant)):
            prepack(laid_out)
            made = whole_prenorm_stack(list(laid_out.layers), parts_of, laid_out.last)
        assert made is not None
        return made

    def angles(self, batch: TokenBatch) -> list[Angles]:
        """Those of every second block are others."""
        rotaries = [Rotary(self.shape.head, base, positions=64) for base in (50.0, 3000.0)]
        return [rotaries[number % 2].angles(batch) for number in range(self.shape.blocks)]


def ran(stack: Stack, whole: Whole, x: Tensor, batch: TokenBatch) -> Tensor:
    """Token vectors after all blocks; those given are kept."""
    return whole.blocks.run(x.clone(), batch, stack.angles(batch))


Rounding = Callable[[Tensor], Tensor]


def normed(norm: LayerNorm | RmsNorm | None, x: Tensor) -> Tensor:
    """Ba et al. 2016, equation 4; Zhang and Sennrich 2019, equation 4."""
    if norm is None:
        return x
    if isinstance(norm, LayerNorm):
        x = x - x.mean(-1, keepdim=True)
    scale = norm.weight + (norm.offset if isinstance(norm, RmsNorm) else 0.0)
    x = x / (x.square().mean(-1, keepdim=True) + norm.eps).sqrt() * scale
    bias = norm.bias if isinstance(norm, LayerNorm) else None
    return x if bias is None else x + bias


def mixed(q: Tensor, k: Tensor, v: Tensor, batch: TokenBatch, parts: Parts) -> Tensor:
    """Vaswani et al. 2017, equation 1, of each sequence by itself."""
    shared = parts.shared
    served = shared.heads // shared.kv_heads
    k, v = (x.repeat_interleave(served, dim=1) for x in (k, v))
    rows = []
    bounds = zip(batch.starts.tolist(), batch.lengths.tolist(), batch.seen.tolist(), strict=True)
    for start, length, seen in bounds:
        some = slice(start, start + length)
        scores = torch.einsum("ihd,jhd->hij", q[some], k[some])
        scores = scores * (shared.head**-0.5 if shared.scale is None else shared.scale)
        if shared.softcap is not None:
            scores = shared.softcap * (scores / shared.softcap).tanh()
        sight = parts.span.mask(range(length), range(length), q.device)
        sight[:, seen:] = False
        weights = scores.masked_fill(~sight, -torch.inf).softmax(-1).nan_to_num(0.0)
        rows.append(torch.einsum("hij,jhd->ihd", weights, v[some]).flatten(1))
    return torch.cat(rows)


def by_layers(stack: Stack, x: Tensor, batch: TokenBatch, rounded: Rounding) -> Tensor:
    """The blocks in float64, their layers rounding what they hand on."""
    x, stack = x.double(), deepcopy(stack).double()
    for layer, angles in zip(stack.layers, stack.angles(batch), strict=True):
        parts = parts_of(layer)
        shared, up = parts.shared, parts.up
        qkv = rounded(parts.qkv(rounded(normed(parts.attention_norm, x))))
        q, k, v = split(qkv, shared.heads, shared.kv_heads)
        q = rounded(turned(normed(parts.q_norm, q), angles))
        k = rounded(turned(normed(parts.k_norm, k), angles))
        attended = rounded(mixed(q, k, v, batch, parts))
        x = x + normed(parts.attention_after, parts.out(attended))
        h = rounded(normed(parts.mlp_norm, x))
        if isinstance(up, GatedLinear):
            gate, wide = nn.functional.linear(h, up.weight, up.bias).chunk(2, dim=-1)
            h = rounded(rounded(ACTIVATIONS[up.activation](gate)) * wide)
        else:
            h = rounded(up(h))
        x = x + normed(parts.mlp_after, parts.down(h))
    return rounded(normed(stack.last, x))


def error_by_rounding(stack: Stack, x: Tensor, batch: TokenBatch) -> tuple[Tensor, float, float]:
    """What blocks give in float64, and how far the kernel may be from that.

    First as ``size`` counts; then a number at most, eight times that, unless the measure has one
    that errs more: norms of what happens to be small make much of its error.

    The measure is the same in float64 with all that is handed on rounded to the number format,
    as the kernel rounds it, so many times as ``roundings`` grants.
    """
    exact = by_layers(stack, x, batch, lambda made: made)
    once = by_layers(stack, x, batch, lambda made: made.to(x.dtype).double())
    shape = stack.shape
    longest = max(shape.width, shape.heads * shape.head, shape.inner, int(batch.lengths.max()))
    apart, times = once - exact, roundings(longest, x.dtype)
    error = times * size(apart)
    return exact, error, max(8 * error, times * float(apart.abs().max()))


SPANS = [EVERYWHERE, Span(after=0), Span(5, 0), Span(9, 9), Span(64, 64), Span(0, 3)]


@st.composite
def shapes(draw: st.DrawFn, lanes: int, step: int) -> Shape:
    """Such as the kernel takes: whole registers in a row, whole pairs in a head.

    Where what a part adds is normalised, it comes of some numbers and not of one or two, whose
    sums may be next to nothing by chance: the norm would make errors of any size of that.
    """
    kv_heads, flags, sandwich = draw(st.integers(1, 3)), st.booleans(), draw(st.booleans())
    least = 4 if sandwich else 1
    return Shape(
        width=lanes * draw(st.integers(1, 6)),
        heads=kv_heads * draw(st.integers(1, 3)),
        kv_heads=kv_heads,
        head=2 * draw(st.integers(least, 40)),
        inner=step * draw(st.integers(least, 160)),
        activation=draw(st.sampled_from(list(linear.ACTIVATIONS))),
        blocks=draw(st.integers(1, 3)),
        **{name: draw(flags) for name in ("centred", "first_norm", "qk_norm", "gated", "bias")},
        sandwich=sandwich,
        span=draw(st.sampled_from(SPANS)),
        scale=draw(st.sampled_from([None, 0.1])),
        softcap=draw(st.sampled_from([None, 2.0])),
    )


@needs_compiler
@variants
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_they_are_pre_norm_blocks(variant: Variant, data: st.DataObject) -> None:
    shape = data.draw(shapes(variant.lanes, variant.step))
    lengths = data.draw(
        st.lists(st.integers(1, 70) | st.integers(200, 400), min_size=1, max_size=4)
    )
    seen = [data.draw(st.integers(1, length)) for length in lengths]
    count = data.draw(st.sampled_from([1, 2, 5]))
    stack = Stack(shape, data.draw(st.integers(0, 2**31))).to(variant.dtype)
    batch = batch_of(lengths, seen)
    x = torch.randn(sum(lengths), shape.width).to(variant.dtype)
    with threads(count):
        found = ran(stack, stack.whole(variant), x, batch)
    exact, error, most = error_by_rounding(stack, x, batch)
    assert size(found.double() - exact) <= error
    assert (found.double() - exact).abs().max() <= most


WINDOWED = Shape(span=Span(9, 9), sandwich=True)


@needs_compiler
@variants
@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("lengths", BATCHES.values(), ids=BATCHES)
def test_neighbours_and_threads_change_no_bit(
    variant: Variant, lengths: list[int], count: int
) -> None:
    stack = Stack(WINDOWED, 6).to(variant.dtype)
    x = torch.randn(sum(lengths), WINDOWED.width).to(variant.dtype)
    are_the_same_alone(partial(ran, stack, stack.whole(variant)), x, lengths, count)


@needs_compiler
@variants
@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("special", [torch.nan, torch.inf])
@pytest.mark.parametrize("lengths", [[8, 12, 20], [4, 9, 400]], ids=["short", "long"])
def test_what_is_no_number_shows_and_stays_in_its_sequence(
    variant: Variant, lengths: list[int], special: float, count: int
) -> None:
    stack = Stack(Shape(), 7).to(variant.dtype)
    x = torch.randn(sum(lengths), 64).to(variant.dtype)
    run = partial(ran, stack, stack.whole(variant))
    keeps_to_the_second(run, x, lengths, special, count)


@needs_compiler
@variants
def test_calls_that_run_at_once_do_not_meet(variant: Variant) -> None:
    stack = Stack(Shape(), 10).to(variant.dtype)
    xs = [torch.randn(241, 64).to(variant.dtype) for _ in range(8)]
    do_not_meet(partial(ran, stack, stack.whole(variant)), xs, batch_of([1, 40, 200]))


def with_another_eps(layers: nn.ModuleList) -> None:
    parts_of(layers[1]).mlp_norm.eps = 1e-5


def with_other_heads(layers: nn.ModuleList) -> None:
    layers.append(Layer(replace(Shape(), kv_heads=4, head=8, heads=8), 2))


def with_no_gate(layers: nn.ModuleList) -> None:
    layers.append(Layer(Shape(gated=False), 2))


OTHERS: dict[str, tuple[Shape, Callable[[nn.ModuleList], None]]] = {
    "activation": (Shape(activation="tanh"), lambda layers: None),
    "activation without a gate": (Shape(activation="tanh", gated=False), lambda layers: None),
    "width": (Shape(width=36), lambda layers: None),
    "eps": (Shape(), with_another_eps),
    "heads": (Shape(), with_other_heads),
    "gate": (Shape(), with_no_gate),
    "none": (Shape(blocks=0), lambda layers: None),
}


@needs_compiler
@variants
@pytest.mark.parametrize("other", OTHERS)
def test_other_blocks_do_not_run_as_one(variant: Variant, other: str) -> None:
    shape, change = OTHERS[other]
    stack = Stack(shape, 11)
    change(stack.layers)
    with kernels(only(variant)):
        prepack(stack.to(variant.dtype))
        assert whole_prenorm_stack(list(stack.layers), parts_of, stack.last) is None


@needs_compiler
@variants
def test_blocks_that_are_not_laid_out_do_not_run_as_one(variant: Variant) -> None:
    stack = Stack(Shape(), 12).to(variant.dtype)
    with kernels(only(variant)):
        assert whole_prenorm_stack(list(stack.layers), parts_of, stack.last) is None


SCALINGS = {
    "none": {},
    "by length": {"rope_type": "dynamic", "factor": 2.0},
    "amplified": {
        "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16,
    },
}  # fmt: skip


@pytest.mark.parametrize("scaling", SCALINGS)
def test_angles_are_those_of_the_table(scaling: str) -> None:
    rotary = Rotary(12, 500.0, SCALINGS[scaling], positions=16)
    for lengths in ([3], [1, 40, 40, 70], [2, 5], [300]):
        batch = batch_of(lengths)
        heads = torch.randn(sum(lengths), 3, 12)
        wanted = rotate(heads, rotary.table(batch))
        found = turned(heads.double(), rotary.angles(batch))
        torch.testing.assert_close(found.float(), wanted)


def test_a_table_of_angles_grows_by_doubling() -> None:
    rotary = Rotary(4, positions=64)
    sizes = [len(rotary.angles(batch_of([n])).cos) for n in (1, 3, 5, 33, 2)]
    assert all(log2(count).is_integer() for count in sizes)
    assert sizes == sorted(sizes)
    assert sizes[-1] < 2 * 33


@pytest.mark.slow
@pytest.mark.timeout(300)  # a compiler needs eight seconds of its own
@needs_compiler
@variants
def test_no_byte_is_read_or_written_out_of_place(variant: Variant, tmp_path: Path) -> None:
    watched("prenorm", HERE / "prenorm_harness.cpp", variant, tmp_path)
