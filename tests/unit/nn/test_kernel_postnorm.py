"""The compiled post-norm blocks against their definition in float64, and under sanitizers."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from math import gcd
from pathlib import Path

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
from stelae.nn.kernels import linear
from stelae.nn.kernels.blocks import Angles
from stelae.nn.kernels.variants import Variant
from stelae.nn.layers.attention import ByDistance, attend, split
from stelae.nn.layers.linear import Activation, prepack
from stelae.nn.layers.norm import LayerNorm
from stelae.nn.layers.postnorm import PostNormLayer
from stelae.nn.layers.rotary import Rotary
from stelae.nn.layers.whole import WholeStack, whole_stack

HERE = Path(__file__).parent
EPS = 1e-12


@dataclass(frozen=True)
class Shape:
    """Of blocks."""

    width: int = 64
    heads: int = 4
    inner: int = 96
    activation: Activation = "gelu"
    blocks: int = 2
    gated: bool = False


def blocks_of(shape: Shape, dtype: torch.dtype, seed: int) -> nn.ModuleList:
    """Blocks whose numbers all matter: scores and sums of ordinary size."""
    torch.manual_seed(seed)
    layers = nn.ModuleList(
        PostNormLayer(
            *(shape.width, shape.heads, shape.inner, shape.activation, EPS), gated=shape.gated
        )
        for _ in range(shape.blocks)
    )
    spread(layers)
    return layers.to(dtype)


def whole_of(layers: nn.ModuleList, variant: Variant) -> WholeStack:
    """The blocks as one, by one kind of kernel."""
    laid_out = deepcopy(layers)
    with kernels(only(variant)):
        prepack(laid_out)
        made = whole_stack(laid_out)
    assert made is not None
    return made


def ran(
    whole: WholeStack,
    x: Tensor,
    batch: TokenBatch,
    distances: Tensor | None = None,
    angles: Angles | None = None,
) -> Tensor:
    """Token vectors after all blocks; those given are kept."""
    return whole.blocks.run(x.clone(), batch, distances, angles)


def distances_of(shape: Shape, longest: int) -> Tensor:
    """What is added to scores for each head and distance, of their size."""
    return torch.randn(shape.heads, 2 * longest - 1)


def angles_of(shape: Shape, batch: TokenBatch) -> Angles:
    """Of heads as wide as those of the blocks."""
    return Rotary(shape.width // shape.heads, 500.0, positions=64).angles(batch)


Rounding = Callable[[Tensor], Tensor]


def by_layers(
    layers: nn.ModuleList,
    x: Tensor,
    batch: TokenBatch,
    distances: Tensor | None,
    angles: Angles | None,
    rounded: Rounding,
) -> Tensor:
    """Vaswani et al. 2017, section 3.1, in float64, its layers rounding what they hand on."""
    x, layers = x.double(), deepcopy(layers).double()
    hooks = [
        module.register_forward_hook(lambda module, given, made: rounded(made))
        for module in layers.modules()
        if isinstance(module, LayerNorm) or module in [layer.up for layer in layers]
    ]
    bias = None if distances is None else ByDistance(distances)
    for layer in layers:
        assert isinstance(layer, PostNormLayer)
        q, k, v = split(rounded(layer.qkv(x)), layer.heads)
        if angles is not None:
            q, k = rounded(turned(q, angles)), rounded(turned(k, angles))
        x = layer.after(rounded(attend(q, k, v, batch, bias=bias)), x)
    for hook in hooks:
        hook.remove()
    return x


def error_by_rounding(
    layers: nn.ModuleList,
    x: Tensor,
    batch: TokenBatch,
    distances: Tensor | None,
    angles: Angles | None,
    shape: Shape,
    dtype: torch.dtype,
) -> tuple[Tensor, float]:
    """What blocks give in float64, and how far the kernel may be from that, as ``size`` counts.

    The measure is the same in float64 with all that is handed on rounded to the number format,
    as the kernel rounds it, so many times as ``roundings`` grants.
    """
    exact = by_layers(layers, x, batch, distances, angles, lambda made: made)
    once = by_layers(layers, x, batch, distances, angles, lambda made: made.to(dtype).double())
    longest = max(shape.width, shape.inner, int(batch.lengths.max()))
    return exact, roundings(longest, dtype) * size(once - exact)


@st.composite
def shapes(draw: st.DrawFn, lanes: int, step: int) -> Shape:
    """Such as the kernel takes: whole registers, and whole cells in a head."""
    heads = draw(st.integers(1, 8))
    least = lanes // gcd(heads, lanes)
    each = least * step // gcd(least, step) * draw(st.integers(1, 3))
    return Shape(
        heads * each,
        heads,
        step * draw(st.integers(1, 160)),
        draw(st.sampled_from(list(linear.ACTIVATIONS))),
        draw(st.integers(1, 3)),
        draw(st.booleans()),
    )


@needs_compiler
@variants
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_they_are_post_norm_blocks(variant: Variant, data: st.DataObject) -> None:
    shape = data.draw(shapes(variant.lanes, variant.step))
    lengths = data.draw(
        st.lists(st.integers(1, 70) | st.integers(200, 600), min_size=1, max_size=4)
    )
    seen = [data.draw(st.integers(1, length)) for length in lengths]
    count = data.draw(st.sampled_from([1, 2, 5]))
    layers = blocks_of(shape, variant.dtype, data.draw(st.integers(0, 2**31)))
    batch = batch_of(lengths, seen)
    x = torch.randn(sum(lengths), shape.width).to(variant.dtype)
    added = distances_of(shape, max(lengths)) if data.draw(st.booleans()) else None
    turns = shape.width // shape.heads % 2 == 0 and data.draw(st.booleans())
    angles = angles_of(shape, batch) if turns else None
    with threads(count):
        found = ran(whole_of(layers, variant), x, batch, added, angles)
    exact, error = error_by_rounding(layers, x, batch, added, angles, shape, variant.dtype)
    assert size(found.double() - exact) <= error
    assert (found.double() - exact).abs().max() <= 8 * error


@needs_compiler
@variants
@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("lengths", BATCHES.values(), ids=BATCHES)
@pytest.mark.parametrize("kind", ["plain", "added", "turned"])
def test_neighbours_and_threads_change_no_bit(
    variant: Variant, lengths: list[int], count: int, kind: str
) -> None:
    shape = Shape(gated=kind == "turned")
    whole = whole_of(blocks_of(shape, variant.dtype, 6), variant)
    x = torch.randn(sum(lengths), shape.width).to(variant.dtype)
    distances = distances_of(shape, max(lengths)) if kind == "added" else None

    def found_of(rows: Tensor, batch: TokenBatch) -> Tensor:
        angles = angles_of(shape, batch) if kind == "turned" else None
        return ran(whole, rows, batch, distances, angles)

    are_the_same_alone(found_of, x, lengths, count)


@needs_compiler
@variants
@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("special", [torch.nan, torch.inf])
@pytest.mark.parametrize("lengths", [[8, 12, 20], [4, 9, 400]], ids=["short", "long"])
def test_what_is_no_number_shows_and_stays_in_its_sequence(
    variant: Variant, lengths: list[int], special: float, count: int
) -> None:
    whole = whole_of(blocks_of(Shape(), variant.dtype, 7), variant)
    x = torch.randn(sum(lengths), 64).to(variant.dtype)
    keeps_to_the_second(partial(ran, whole), x, lengths, special, count)


@needs_compiler
@variants
def test_tokens_that_nobody_sees_change_none_that_are_seen(variant: Variant) -> None:
    shape = Shape()
    whole = whole_of(blocks_of(shape, variant.dtype, 8), variant)
    x = torch.randn(60, shape.width).to(variant.dtype)
    batch = batch_of([20, 40], [11, 33])
    before = ran(whole, x, batch)
    x[11:20] = 1.0
    after = ran(whole, x, batch)
    assert torch.equal(after[:11], before[:11])
    assert torch.equal(after[20:], before[20:])
    assert not torch.equal(after[11:20], before[11:20])


@needs_compiler
@variants
def test_fewer_threads_may_come_than_were_asked_for(variant: Variant) -> None:
    shape = Shape()
    whole = whole_of(blocks_of(shape, variant.dtype, 9), variant)
    x, batch = torch.randn(300, shape.width).to(variant.dtype), batch_of([300])
    known = ran(whole, x, batch)
    openmp = ctypes.CDLL(None)
    openmp.omp_set_dynamic(1)  # no more than the machine has processors
    try:
        with threads(256):
            found = ran(whole, x, batch)
    finally:
        openmp.omp_set_dynamic(0)
    assert torch.equal(found, known)


@needs_compiler
@variants
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("lengths", [[200] * 40, [1500]], ids=["apart", "together"])
def test_time_is_counted_of_the_calling_thread(
    variant: Variant, lengths: list[int], count: int
) -> None:
    shape = Shape(blocks=4)
    whole = whole_of(blocks_of(shape, variant.dtype, 13), variant)
    x, batch = torch.randn(sum(lengths), shape.width).to(variant.dtype), batch_of(lengths)
    spent = whole.blocks.spent = (ctypes.c_double * 3)()
    with threads(count):
        began = time.thread_time()
        whole.blocks.run(x, batch)
        run = time.thread_time() - began
    assert sum(spent) <= run
    assert count > 1 or min(spent) > 0  # another thread may have taken all of some part


@needs_compiler
@variants
def test_calls_that_run_at_once_do_not_meet(variant: Variant) -> None:
    whole = whole_of(blocks_of(Shape(), variant.dtype, 10), variant)
    xs = [torch.randn(241, 64).to(variant.dtype) for _ in range(8)]
    do_not_meet(partial(ran, whole), xs, batch_of([1, 40, 200]))


Change = Callable[[nn.ModuleList], object]


def gated(layers: nn.ModuleList) -> None:
    layers.append(PostNormLayer(64, 4, 96, "gelu", EPS, gated=True))


OTHERS: dict[str, tuple[Shape, Change]] = {
    "activation": (Shape(activation="tanh"), lambda layers: None),
    "width": (Shape(width=36), lambda layers: None),
    "gate": (Shape(), gated),
    "heads": (Shape(), lambda layers: setattr(layers[1], "heads", 2)),
    "eps": (Shape(), lambda layers: setattr(layers[1].down_norm, "eps", 1e-5)),
    "inner": (Shape(), lambda layers: layers.extend(blocks_of(Shape(inner=32), torch.float32, 0))),
    "kind": (Shape(), lambda layers: layers.append(nn.Identity())),
    "none": (Shape(blocks=0), lambda layers: None),
}


@needs_compiler
@variants
@pytest.mark.parametrize("other", OTHERS)
def test_other_blocks_do_not_run_as_one(variant: Variant, other: str) -> None:
    shape, change = OTHERS[other]
    layers = blocks_of(shape, variant.dtype, 11)
    change(layers)
    with kernels(only(variant)):
        prepack(layers.to(variant.dtype))
        assert whole_stack(layers) is None


@needs_compiler
@variants
def test_blocks_that_are_not_laid_out_do_not_run_as_one(variant: Variant) -> None:
    with kernels(only(variant)):
        assert whole_stack(blocks_of(Shape(), variant.dtype, 12)) is None


@needs_compiler
@variants
@pytest.mark.parametrize("other", ["format", "width", "rows apart"])
def test_other_token_vectors_are_refused(variant: Variant, other: str) -> None:
    whole = whole_of(blocks_of(Shape(), variant.dtype, 13), variant)
    xs = {
        "format": torch.zeros(5, 64, dtype=torch.float64),
        "width": torch.zeros(5, 80, dtype=variant.dtype),
        "rows apart": torch.zeros(5, 80, dtype=variant.dtype)[:, :64],
    }
    with pytest.raises(ValueError, match="of width 64, rows side by side"):
        whole.blocks.run(xs[other], batch_of([5]))


@pytest.mark.slow
@pytest.mark.timeout(300)  # a compiler needs eight seconds of its own
@needs_compiler
@variants
def test_no_byte_is_read_or_written_out_of_place(variant: Variant, tmp_path: Path) -> None:
    watched("postnorm", HERE / "postnorm_harness.cpp", variant, tmp_path)
