"""The compiled linear layer in int8: exact in whole numbers, bounded in float64, watched."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from fix_blocks import Run, are_the_same_alone, keeps_to_the_second, spread
from fix_kernels import ROUNDING, batch_of, int8_variants, needs_compiler, threads, watched
from fix_rows import BATCHES, SLICES
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn

from stelae.nn.kernels import linear as kernel
from stelae.nn.kernels.quantised import WIDEST, kernel_for, quantised, whole_weights
from stelae.nn.kernels.variants import Variant, compiled
from stelae.nn.layers.linear import ACTIVATIONS, GatedLinear, Int8, prepack
from stelae.nn.layers.postnorm import PostNormLayer
from stelae.nn.layers.whole import whole_stack
from stelae.nn.quantise import layers_of, quantise

HERE = Path(__file__).parent
LEAST_STEP = np.float32(1.2e-38)

Floats = NDArray[np.float32]


def laid_out(
    variant: Variant, weight: Tensor, bias: Tensor | None, smoothing: Tensor | None = None
) -> kernel.Panels:
    """A layer for one kind of kernel."""
    return quantised(compiled(kernel.SOURCE, variant), weight, bias, smoothing)


def whole_rows(x: Floats) -> tuple[NDArray[np.int64], Floats, NDArray[np.int64]]:
    """Each row in whole numbers from 0 to 255, with its step and the number that means 0.

    The affine scheme of Jacob et al. 2018 (arXiv:1712.05877), section 2.1, for each row, with a
    step of room for both ends to be rounded up.
    """
    below, above = np.maximum(-x, 0).max(1, initial=0), np.maximum(x, 0).max(1, initial=0)
    step = (below / np.float32(254) + above / np.float32(254)).astype(np.float32)
    step[step < LEAST_STEP] = 0
    inverse = np.divide(np.float32(1), step, out=np.zeros_like(step), where=step > 0)
    zero = np.rint(below * inverse).astype(np.int64)
    whole = np.rint(x * inverse[:, None]).astype(np.int64) + zero[:, None]
    assert ((whole >= 0) & (whole <= 255)).all()
    return whole, step, zero


def by_definition(x: Tensor, weight: Tensor, smoothing: Tensor | None) -> Floats:
    """``x W^T`` in whole numbers, and one product with both scales."""
    by = torch.ones(x.shape[1]) if smoothing is None else smoothing
    rows, step, zero = whole_rows((x.float() * by).numpy())
    whole, scales = whole_weights(weight.float() / by)
    weights = whole.numpy().astype(np.int64)
    sums = (rows - zero[:, None]) @ weights.T
    assert np.abs(sums).max(initial=0) < 2**31
    return sums.astype(np.float32) * (step[:, None] * scales.numpy()[None])


def layer(inputs: int, outputs: int, variant: Variant) -> tuple[Tensor, Tensor]:
    weight = (torch.randn(outputs, inputs) * inputs**-0.5).to(variant.dtype)
    return weight, torch.randn(outputs).to(variant.dtype)


shapes = {
    "rows": st.integers(0, 200),
    "inputs": st.integers(1, 400),
    "outputs": st.integers(1, 300),
    "scale": st.sampled_from([1e-30, 0.05, 1.0, 30.0, 1e30]),
    "offset": st.sampled_from([0.0, 0.0, 3.0, -3.0]),
    "smooth": st.booleans(),
    "seed": st.integers(0, 2**31),
}


def drawn(
    variant: Variant,
    rows: int,
    inputs: int,
    outputs: int,
    scale: float,
    offset: float,
    smooth: bool,
    seed: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Rows whose columns differ in size, some of one sign; weights, bias and smoothing."""
    torch.manual_seed(seed)
    weight, bias = layer(inputs, outputs, variant)
    x = scale * (torch.randn(rows, inputs) * torch.rand(inputs).exp2() + offset)
    return x.to(variant.dtype), weight, bias, torch.rand(inputs) + 0.5 if smooth else None


@needs_compiler
@int8_variants
@settings(max_examples=80, deadline=None)
@given(**shapes)
def test_sums_are_those_of_whole_numbers(
    variant: Variant,
    rows: int,
    inputs: int,
    outputs: int,
    scale: float,
    offset: float,
    smooth: bool,
    seed: int,
) -> None:
    x, weight, _, smoothing = drawn(variant, rows, inputs, outputs, scale, offset, smooth, seed)
    found = laid_out(variant, weight, None, smoothing).product(x)
    wanted = torch.from_numpy(by_definition(x, weight, smoothing)).to(variant.dtype)
    assert torch.equal(found, wanted)


@needs_compiler
@int8_variants
@settings(max_examples=60, deadline=None)
@given(activation=st.sampled_from(list(kernel.ACTIVATIONS)), **shapes)
def test_it_is_near_the_layer_that_it_stands_for(
    variant: Variant,
    activation: str,
    rows: int,
    inputs: int,
    outputs: int,
    scale: float,
    offset: float,
    smooth: bool,
    seed: int,
) -> None:
    """A row errs by half a step at most in each input, and an output in each weight."""
    x, weight, bias, smoothing = drawn(variant, rows, inputs, outputs, scale, offset, smooth, seed)
    by = torch.ones(inputs) if smoothing is None else smoothing
    _, step, _ = whole_rows((x.float() * by).numpy())
    whole, scales = whole_weights(weight.float() / by)
    sizes = (x.double() * by).abs().sum(dim=1, keepdim=True)
    weights = whole.double().abs().sum(dim=1) * scales.double()
    error = sizes * scales.double() / 2 + torch.from_numpy(step).double()[:, None] * weights / 2
    exact = x.double() @ weight.double().T + bias.double()
    error = 1.001 * error + 2.0**-22 * (exact.abs() + bias.double().abs())
    wanted = ACTIVATIONS[activation](exact)
    error = 1.13 * error + 2.0**-20 * (exact.abs() + error)  # slope and error of activations
    found = laid_out(variant, weight, bias, smoothing).product(x, activation)
    bound = error + (wanted.abs() + error) * ROUNDING[variant.dtype]
    assert bool(((found.double() - wanted).abs() <= bound).all())


@needs_compiler
@int8_variants
def test_other_numbers_are_added_and_multiplied_before_the_one_rounding(variant: Variant) -> None:
    torch.manual_seed(1)
    weight, _ = layer(120, 70, variant)
    x, other = torch.randn(33, 120).to(variant.dtype), torch.randn(33, 70).to(variant.dtype)
    sums = torch.from_numpy(by_definition(x, weight, None))
    panels = laid_out(variant, weight, None)
    assert torch.equal(panels.added(x, other), (sums + other.float()).to(variant.dtype))
    assert torch.equal(panels.multiplied(x, other), (sums * other.float()).to(variant.dtype))


@needs_compiler
@int8_variants
@pytest.mark.parametrize("activation", ["silu", "tanh"])  # the kernel has no tanh
def test_gated_layers_are_in_int8_by_any_activation(
    variant: Variant, activation: Literal["silu", "tanh"]
) -> None:
    torch.manual_seed(5)
    weight, _ = layer(120, 80, variant)
    x, gated = torch.randn(33, 120).to(variant.dtype), GatedLinear(120, 40, activation)
    gated.quantise(Int8(compiled(kernel.SOURCE, variant), weight, None, None))
    gate, up = (torch.from_numpy(by_definition(x, half, None)) for half in weight.chunk(2))
    wanted = ACTIVATIONS[activation](gate).double() * up.double()
    error = (gated(x).double() - wanted).abs()
    assert bool((error <= 4 * ROUNDING[variant.dtype] * (wanted.abs() + up.abs())).all())
    assert gated.packed is not None


@needs_compiler
@int8_variants
def test_the_largest_numbers_are_summed_without_loss(variant: Variant) -> None:
    """All products as large as they can be, in as wide a layer as there may be."""
    x = torch.ones(2, WIDEST).to(variant.dtype)
    weight = torch.ones(3, WIDEST).to(variant.dtype)
    weight[1] = -1
    found = laid_out(variant, weight, None).product(x)
    wanted = by_definition(x, weight, None)
    assert torch.equal(found, torch.from_numpy(wanted).to(variant.dtype))
    with pytest.raises(ValueError, match="up to 65536 inputs"):
        laid_out(variant, torch.ones(1, WIDEST + 1), None)


@needs_compiler
@int8_variants
@pytest.mark.parametrize("special", [torch.nan, torch.inf, -torch.inf])
def test_what_is_no_number_shows_in_its_row_alone(variant: Variant, special: float) -> None:
    torch.manual_seed(2)
    weight, bias = layer(96, 70, variant)
    panels, x = laid_out(variant, weight, bias), torch.randn(14, 96).to(variant.dtype)
    before = panels.product(x)
    x[3, 5] = special
    found = panels.product(x)
    others = torch.arange(14) != 3
    assert found[3].isnan().all()
    assert torch.equal(found[others], before[others])


@needs_compiler
@int8_variants
def test_rows_of_zeros_and_of_the_least_numbers_give_the_bias(variant: Variant) -> None:
    weight, bias = layer(64, 40, variant)
    x = torch.tensor([0.0, -0.0, 1e-39, -1e-38]).to(variant.dtype)[:, None].expand(4, 64)
    found = laid_out(variant, weight, bias).product(x)
    assert torch.equal(found, bias.expand(4, 40))


@needs_compiler
@int8_variants
def test_the_farthest_numbers_stay_finite(variant: Variant) -> None:
    x = torch.tensor([[3e38, -3e38] * 8]).to(variant.dtype)
    weight = torch.full((1, 16), 1e-3).to(variant.dtype)
    weight[0, ::2] = 2e-3
    found = laid_out(variant, weight, None).product(x)
    exact = float(x.double() @ weight.double().T)
    assert abs(float(found) - exact) < 0.01 * exact


@needs_compiler
@int8_variants
def test_outputs_without_weights_give_their_bias(variant: Variant) -> None:
    weight, bias = layer(16, 8, variant)
    weight[5] = 0
    found = laid_out(variant, weight, bias).product(torch.randn(3, 16).to(variant.dtype))
    assert torch.equal(found[:, 5], bias[5].expand(3))


@needs_compiler
@int8_variants
@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("outputs", [1, 130, 700])
def test_neighbours_and_threads_change_no_bit_of_a_row(
    variant: Variant, count: int, outputs: int
) -> None:
    torch.manual_seed(3)
    weight, bias = layer(81, outputs, variant)
    panels, x = laid_out(variant, weight, bias), torch.randn(600, 81).to(variant.dtype)
    with threads(1):
        alone = torch.cat([panels.product(x[at : at + 1], "gelu") for at in range(600)])
    for first, end in SLICES:
        with threads(count):
            assert torch.equal(panels.product(x[first:end], "gelu"), alone[first:end])


KINDS = ["qkv", "out", "up", "down"]


def blocks(variant: Variant, kinds: list[str]) -> nn.ModuleList:
    """Post-norm blocks of which some layers are in int8, laid out."""
    torch.manual_seed(4)
    made = nn.ModuleList(PostNormLayer(64, 4, 100, "gelu", 1e-12) for _ in range(2))
    spread(made)
    named = dict(made.state_dict())
    chosen = [name for name in layers_of(made) if name.partition(".")[2] in kinds]
    smoothing = {name: torch.rand(named[f"{name}.weight"].shape[1]) + 0.5 for name in chosen}
    made.to(variant.dtype)
    quantise(made, named, compiled(kernel.SOURCE, variant), smoothing)
    prepack(made)
    return made


def as_one(layers: nn.ModuleList) -> Run:
    whole = whole_stack(layers)
    assert whole is not None
    return lambda x, batch: whole.blocks.run(x.clone(), batch)


@needs_compiler
@int8_variants
@pytest.mark.parametrize("kinds", [KINDS, ["up", "down"], ["qkv"], ["out"]], ids="-".join)
def test_blocks_as_one_give_what_their_layers_give(variant: Variant, kinds: list[str]) -> None:
    """But for the roundings between layers, which whole numbers may make a step of 1/254."""
    layers, batch = blocks(variant, kinds), batch_of([3, 20, 70])
    x = torch.randn(93, 64).to(variant.dtype)
    found = as_one(layers)(x, batch).double()
    for layer in layers:
        x = layer(x, batch)
    apart = (found - x.double()).square().mean().sqrt() / x.double().square().mean().sqrt()
    assert apart <= 2.0**-6


@needs_compiler
@int8_variants
@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("lengths", BATCHES.values(), ids=BATCHES)
def test_blocks_as_one_give_a_text_the_same_bits_in_any_company(
    variant: Variant, lengths: list[int], count: int
) -> None:
    x = torch.randn(sum(lengths), 64).to(variant.dtype)
    are_the_same_alone(as_one(blocks(variant, KINDS)), x, lengths, count)


@needs_compiler
@int8_variants
@pytest.mark.parametrize("special", [torch.nan, torch.inf])
def test_what_is_no_number_stays_in_its_sequence(variant: Variant, special: float) -> None:
    x = torch.randn(40, 64).to(variant.dtype)
    keeps_to_the_second(as_one(blocks(variant, KINDS)), x, [8, 12, 20], special, 1)


def test_a_kernel_is_had_only_where_the_processor_has_the_instructions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_vnni_supported", lambda: False)
    with pytest.raises(RuntimeError, match="AVX512-VNNI"):
        kernel_for(torch.float32)


@pytest.mark.slow
@pytest.mark.timeout(300)  # a compiler needs eight seconds of its own
@needs_compiler
@int8_variants
@pytest.mark.parametrize("name", ["linear", "postnorm"])
def test_no_byte_is_read_or_written_out_of_place(
    name: str, variant: Variant, tmp_path: Path
) -> None:
    watched(name, HERE / f"{name}_harness.cpp", variant, tmp_path)
