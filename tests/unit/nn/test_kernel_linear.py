"""The compiled linear layer against its definition in float64, and under sanitizers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from fix_kernels import ROUNDING, kernels, needs_compiler, none, only, threads, variants, watched
from fix_rows import SLICES
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from stelae.nn.kernels import linear as kernel
from stelae.nn.kernels import tiles
from stelae.nn.kernels.variants import Variant, compiled
from stelae.nn.layers.linear import ACTIVATIONS, Linear, OneDnn

HERE = Path(__file__).parent

STEEPEST = {"none": 1.0, "relu": 1.0}
"""Largest slope; that of the others lies below 1.13."""

OWN_ERROR = 2.0**-20
"""Of an activation that is no straight line, relative to what it is applied to: sixteen roundings
of float32, of which Abramowitz and Stegun's approximation takes two."""

INFINITE = [torch.inf, -torch.inf, torch.nan]
FAR = [sign * size for size in (100.0, 1e4, 1e20, 1e30, 3e38) for sign in (1, -1)]


def laid_out(variant: Variant, weight: Tensor, bias: Tensor | None) -> kernel.Panels:
    """A layer for one kind of kernel, whichever a model would take here."""
    return kernel.panels(compiled(kernel.SOURCE, variant), weight, bias)


def sums_of(x: Tensor, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
    """``x W^T + b`` in float64, and the largest error of adding it up in float32.

    Each of n products and the bias comes with one rounding at most of a sum that is no larger
    than that of all their sizes (Higham 2002, equation 3.5).
    """
    x, weight = x.double(), weight.double()
    shift = torch.zeros(len(weight)).double() if bias is None else bias.double()
    roundings = (x.shape[1] + 1) * 2.0**-24
    sizes = x.abs() @ weight.abs().T + shift.abs()
    return x @ weight.T + shift, roundings / (1 - roundings) * sizes


def rounded(wanted: Tensor, error: Tensor, dtype: torch.dtype) -> Tensor:
    """The largest error after one more rounding to a number format."""
    return error + (wanted.abs() + error) * ROUNDING[dtype]


def assert_within(found: Tensor, wanted: Tensor, error: Tensor) -> None:
    assert found.shape == wanted.shape
    assert bool(((found.double() - wanted).abs() <= error).all())


def numbers(rows: int, width: int, apart: int, dtype: torch.dtype) -> Tensor:
    """Rows that lie so many numbers further apart than they are wide."""
    return torch.randn(rows, width + apart).to(dtype)[:, :width]


layers = {
    "rows": st.integers(0, 200),
    "cells": st.integers(1, 150),
    "outputs": st.integers(1, 300),
    "biased": st.booleans(),
    "apart": st.sampled_from([0, 0, 1, 7, 64]),
    "scale": st.sampled_from([0.05, 1.0, 30.0]),
    "seed": st.integers(0, 2**31),
}


def layer(
    variant: Variant, cells: int, outputs: int, biased: bool, scale: float
) -> tuple[Tensor, Tensor | None]:
    """Weight and bias."""
    inputs = cells * variant.step
    weight = (scale * torch.randn(outputs, inputs) * inputs**-0.5).to(variant.dtype)
    return weight, (scale * torch.randn(outputs)).to(variant.dtype) if biased else None


@needs_compiler
@variants
@settings(max_examples=60, deadline=None)
@given(activation=st.sampled_from(list(kernel.ACTIVATIONS)), **layers)
def test_it_is_a_linear_layer_with_its_activation(
    variant: Variant,
    activation: str,
    rows: int,
    cells: int,
    outputs: int,
    biased: bool,
    apart: int,
    scale: float,
    seed: int,
) -> None:
    torch.manual_seed(seed)
    weight, bias = layer(variant, cells, outputs, biased, scale)
    x = numbers(rows, weight.shape[1], apart, variant.dtype)
    sums, error = sums_of(x, weight, bias)
    if activation in STEEPEST:
        error = STEEPEST[activation] * error
    else:
        error = 1.13 * error + OWN_ERROR * (sums.abs() + error)
    wanted = ACTIVATIONS[activation](sums)
    found = laid_out(variant, weight, bias).product(x, activation)
    assert found.dtype == variant.dtype
    assert_within(found, wanted, rounded(wanted, error, variant.dtype))


@needs_compiler
@variants
@settings(max_examples=40, deadline=None)
@given(other_apart=st.sampled_from([0, 3, 64]), **layers)
def test_other_numbers_are_added_and_multiplied_before_the_one_rounding(
    variant: Variant,
    other_apart: int,
    rows: int,
    cells: int,
    outputs: int,
    biased: bool,
    apart: int,
    scale: float,
    seed: int,
) -> None:
    torch.manual_seed(seed)
    weight, bias = layer(variant, cells, outputs, biased, scale)
    x = numbers(rows, weight.shape[1], apart, variant.dtype)
    other = numbers(rows, outputs, other_apart, variant.dtype)
    sums, error = sums_of(x, weight, bias)
    panels, beside = laid_out(variant, weight, bias), other.double()
    in_float32 = 2.0**-24 * (sums.abs() + error + beside.abs())
    for found, wanted, before in (
        (panels.added(x, other), sums + beside, error + in_float32),
        (panels.multiplied(x, other), sums * beside, (error + in_float32) * beside.abs()),
    ):
        assert_within(found, wanted, rounded(wanted, before, variant.dtype))


def applied(variant: Variant, activation: str, values: list[float]) -> tuple[Tensor, Tensor]:
    """What goes in and comes out where a layer multiplies by one."""
    weight = torch.tensor([[1.0] + [0.0] * (variant.step - 1)]).to(variant.dtype)
    x = torch.zeros(len(values), variant.step, dtype=variant.dtype)
    x[:, 0] = torch.tensor(values)
    return x[:, 0].double(), laid_out(variant, weight, None).product(x, activation)[:, 0].double()


def near_zero() -> list[float]:
    sizes = [10.0**power for power in range(-30, 0)]
    return [0.0, *sizes, *(-size for size in sizes)]


@needs_compiler
@variants
@pytest.mark.parametrize("activation", list(kernel.ACTIVATIONS))
def test_activations_are_those_of_pytorch(variant: Variant, activation: str) -> None:
    values = [*torch.linspace(-30, 30, 2001).tolist(), *near_zero()]
    x, found = applied(variant, activation, values)
    wanted = ACTIVATIONS[activation](x.clone())
    assert_within(found, wanted, rounded(wanted, OWN_ERROR * x.abs(), variant.dtype))


@needs_compiler
@variants
@pytest.mark.parametrize("activation", [name for name in kernel.ACTIVATIONS if name != "none"])
def test_far_from_zero_activations_are_their_argument_or_nothing(
    variant: Variant, activation: str
) -> None:
    x, found = applied(variant, activation, FAR)
    assert torch.equal(found, x.clamp(min=0.0))


@needs_compiler
@variants
@pytest.mark.parametrize("activation", list(kernel.ACTIVATIONS))
def test_activations_of_what_is_infinite_or_no_number_are_those_of_pytorch(
    variant: Variant, activation: str
) -> None:
    # One neighbour in a register of numbers each, and alone.
    for values in (INFINITE, [1.0, *INFINITE, 2.0] * 7, *([value] for value in INFINITE)):
        x, found = applied(variant, activation, values)
        wanted = ACTIVATIONS[activation](x.clone())
        special = ~x.isfinite()
        torch.testing.assert_close(
            found[special], wanted[special], equal_nan=True, atol=0.0, rtol=0.0
        )


@needs_compiler
@variants
@pytest.mark.parametrize("activation", list(kernel.ACTIVATIONS))
def test_what_is_no_number_shows_in_its_row_alone(variant: Variant, activation: str) -> None:
    torch.manual_seed(1)
    weight, bias = layer(variant, 24, 70, True, 1.0)
    x = numbers(14, weight.shape[1], 0, variant.dtype)
    x[3, 5] = torch.nan
    found = laid_out(variant, weight, bias).product(x, activation)
    assert found[3].isnan().all()
    assert not found[torch.arange(14) != 3].isnan().any()


@needs_compiler
@variants
@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("outputs", [1, 130, 700])
def test_neighbours_and_threads_change_no_bit_of_a_row(
    variant: Variant, count: int, outputs: int
) -> None:
    torch.manual_seed(2)
    weight, bias = layer(variant, 40, outputs, True, 1.0)
    panels = laid_out(variant, weight, bias)
    x = numbers(600, weight.shape[1], 0, variant.dtype)
    other = numbers(600, outputs, 0, variant.dtype)
    with threads(1):
        alone = torch.cat([panels.product(x[at : at + 1], "gelu") for at in range(600)])
        sums = torch.cat([panels.added(x[i : i + 1], other[i : i + 1]) for i in range(600)])
    for first, end in SLICES:
        with threads(count):
            found = panels.product(x[first:end], "gelu")
            added = panels.added(x[first:end], other[first:end])
        assert torch.equal(found, alone[first:end])
        assert torch.equal(added, sums[first:end])


@needs_compiler
@variants
def test_rows_of_any_shape_and_layout_are_read(variant: Variant) -> None:
    torch.manual_seed(3)
    weight, bias = layer(variant, 16, 20, True, 1.0)
    inputs = weight.shape[1]
    panels = laid_out(variant, weight, bias)
    x = torch.randn(2, 3, inputs).to(variant.dtype)
    flat = panels.product(x.reshape(6, inputs))
    assert torch.equal(panels.product(x), flat.reshape(2, 3, 20))
    assert torch.equal(panels.product(x[0, 0]), flat[0])
    assert torch.equal(panels.product(x[0].T.contiguous().T), flat[:3])
    assert torch.equal(panels.product(x[0, :1].expand(4, inputs)), flat[:1].expand(4, 20))
    column = torch.randn(20, 3).to(variant.dtype).T
    assert torch.equal(panels.added(x[0], column), panels.added(x[0], column.contiguous()))


@needs_compiler
@variants
def test_what_does_not_fit_is_refused(variant: Variant) -> None:
    weight, bias = layer(variant, 8, 20, True, 1.0)
    panels, x = laid_out(variant, weight, bias), torch.zeros(3, weight.shape[1]).to(variant.dtype)
    for wrong in (x[:, 1:], x.double()):
        with pytest.raises(ValueError, match=f"takes {variant.dtype} of width {x.shape[1]}"):
            panels.product(wrong)
    beside = torch.zeros(3, 20).to(variant.dtype)
    for other in (beside[:2], beside[:, 1:], beside.double()):
        with pytest.raises(ValueError, match="beside"):
            panels.added(x, other)


@needs_compiler
@variants
def test_models_lay_their_weights_out_for_it(variant: Variant) -> None:
    weight, bias = layer(variant, 8, 20, True, 1.0)
    x = torch.randn(3, weight.shape[1]).to(variant.dtype)
    module = Linear(weight.shape[1], 20, activation="gelu").to(variant.dtype)
    module.load_state_dict({"weight": weight, "bias": bias})
    with kernels(only(variant)):
        module.prepack()
    assert isinstance(module.packed, kernel.Panels)
    assert torch.equal(module(x), laid_out(variant, weight, bias).product(x, "gelu"))


@pytest.mark.parametrize(
    ("dtype", "inputs"), [(torch.bfloat16, 15), (torch.float16, 16), (torch.float64, 16)]
)
def test_what_it_does_not_multiply_is_not_laid_out(dtype: torch.dtype, inputs: int) -> None:
    assert kernel.lay_out(torch.zeros(4, inputs, dtype=dtype), None) is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_without_a_kernel_onednn_multiplies(dtype: torch.dtype) -> None:
    torch.manual_seed(4)
    module = Linear(16, 24, activation="gelu").to(dtype)
    module.weight.normal_(std=0.25)
    module.bias = nn.Parameter(torch.randn(24).to(dtype), requires_grad=False)
    x = torch.randn(5, 16).to(dtype)
    sums, error = sums_of(x, module.weight, module.bias)
    with kernels(none):
        module.prepack()
    assert isinstance(module.packed, OneDnn)
    wanted = ACTIVATIONS["gelu"](sums)
    assert_within(module(x), wanted, rounded(wanted, 1.13 * error + OWN_ERROR * sums.abs(), dtype))


@needs_compiler
@variants
def test_bfloat16_stays_with_onednn_where_tiles_are_there_but_not_for_kernels(
    variant: Variant, monkeypatch: pytest.MonkeyPatch
) -> None:
    weight = torch.zeros(4, 16, dtype=variant.dtype)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    monkeypatch.setattr(tiles, "work", lambda *flags: False)
    with kernels(only(variant)):
        assert (kernel.lay_out(weight, None) is None) == (variant.dtype == torch.bfloat16)


@pytest.mark.slow
@pytest.mark.timeout(300)  # a compiler needs eight seconds of its own
@needs_compiler
@variants
def test_no_byte_is_read_or_written_out_of_place(variant: Variant, tmp_path: Path) -> None:
    watched("linear", HERE / "linear_harness.cpp", variant, tmp_path)
