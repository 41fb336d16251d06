"""The compiled sums and means of rows against float64, and under sanitizers."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from fix_kernels import ROUNDING, kernels, needs_compiler, none, only, threads, variants, watched
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from stelae.nn.batch import TokenBatch, pack
from stelae.nn.heads.pooling import PoolingHead
from stelae.nn.kernels import rows
from stelae.nn.kernels.variants import Variant

HERE = Path(__file__).parent
EPS = 1e-5
WIDTH = 48


def tables_of(dtype: torch.dtype, *sizes: int) -> list[Tensor]:
    torch.manual_seed(3)
    return [torch.randn(size, WIDTH).to(dtype) for size in sizes]


def norm_of(dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    return torch.rand(WIDTH).to(dtype) + 0.5, torch.randn(WIDTH).to(dtype)


def batch_of(lengths: list[int], skips: list[int]) -> TokenBatch:
    return pack([np.arange(n, dtype=np.int32) for n in lengths], skips)


@needs_compiler
@variants
@pytest.mark.parametrize(("tokens", "count"), [(1, 1), (20, 1), (20, 3), (600, 2)])
def test_rows_are_added_up_and_normalised(variant: Variant, tokens: int, count: int) -> None:
    tables = tables_of(variant.dtype, 50, 20, 2)
    scale, shift = norm_of(variant.dtype)
    ids, positions = torch.randint(50, (tokens,)), torch.randint(20, (tokens,))
    kinds = torch.randint(2, (tokens,))
    with kernels(only(variant)), threads(count):
        made = rows.Embeddings(tables, scale, shift, EPS).run([ids, positions, kinds])
    whole = sum(t.double()[i] for t, i in zip(tables, (ids, positions, kinds), strict=True))
    expected = functional.layer_norm(
        torch.as_tensor(whole), (WIDTH,), scale.double(), shift.double(), EPS
    )
    bound = 2 * ROUNDING[variant.dtype] * expected.abs() + 1e-5
    assert ((made.double() - expected).abs() <= bound).all()


@needs_compiler
@variants
def test_without_places_all_tokens_have_the_first_row(variant: Variant) -> None:
    tables = tables_of(variant.dtype, 50, 2)
    scale, shift = norm_of(variant.dtype)
    ids = torch.arange(7)
    with kernels(only(variant)):
        summed = rows.Embeddings(tables, scale, shift, EPS)
        assert torch.equal(summed.run([ids, None]), summed.run([ids, torch.zeros(7).long()]))


@needs_compiler
@variants
@pytest.mark.parametrize("place", [-1, 50, 2**40])
def test_places_outside_a_table_are_refused(variant: Variant, place: int) -> None:
    scale, shift = norm_of(variant.dtype)
    with kernels(only(variant)):
        summed = rows.Embeddings(tables_of(variant.dtype, 50, 2), scale, shift, EPS)
        with pytest.raises(IndexError, match=r"\[50, 2\]"):
            summed.run([torch.tensor([3, place]), None])


@needs_compiler
@variants
def test_tables_that_are_converted_later_are_kept(variant: Variant) -> None:
    tables = [nn.Parameter(t, requires_grad=False) for t in tables_of(variant.dtype, 50, 2)]
    scale, shift = norm_of(variant.dtype)
    ids = torch.arange(50)
    with kernels(only(variant)):
        summed = rows.Embeddings(tables, scale, shift, EPS)
        before = summed.run([ids, None])
        for table in tables:
            table.data = table.data.double()
        assert torch.equal(summed.run([ids, None]), before)


@needs_compiler
@variants
@settings(max_examples=25, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 70), min_size=1, max_size=12),
    data=st.data(),
    seed=st.integers(0, 9),
)
def test_token_vectors_are_averaged(
    variant: Variant, lengths: list[int], data: st.DataObject, seed: int
) -> None:
    skips = [data.draw(st.integers(0, n + 1)) for n in lengths]
    batch = batch_of(lengths, skips)
    torch.manual_seed(seed)
    x = torch.randn(sum(lengths), WIDTH).to(variant.dtype)
    with kernels(only(variant)), threads(2):
        made = rows.means(x, batch)
    for i, whole in enumerate(x.double().split(batch.lengths.tolist())):
        kept = whole[skips[batch.order[i]] :]
        expected = kept.mean(0) if len(kept) else torch.zeros(WIDTH).double()
        assert torch.allclose(made[i].double(), expected, rtol=1e-5, atol=1e-5)


@needs_compiler
@variants
def test_pooling_is_the_same_with_and_without_the_kernel(variant: Variant) -> None:
    batch = batch_of([3, 9, 4], [0, 4, 4])
    x = torch.randn(16, WIDTH).to(variant.dtype)
    found = []
    for kind in (only(variant), none):
        with kernels(kind):
            found.append(PoolingHead(("mean",))(x, batch))
    assert torch.allclose(*found, rtol=1e-5, atol=1e-6)


@needs_compiler
@variants
def test_threads_that_call_at_once_do_not_disturb_each_other(variant: Variant) -> None:
    scale, shift = norm_of(variant.dtype)
    ids = [torch.randint(50, (n,)) for n in (5, 40, 300, 700)]
    with kernels(only(variant)):
        summed = rows.Embeddings(tables_of(variant.dtype, 50), scale, shift, EPS)
        expected = [summed.run([part]) for part in ids]
        wrong: list[int] = []

        def call(number: int) -> None:
            for _ in range(50):
                if not torch.equal(summed.run([ids[number]]), expected[number]):
                    wrong.append(number)

        callers = [threading.Thread(target=call, args=(i,)) for i in range(len(ids))]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
    assert not wrong


def test_rows_that_are_no_whole_registers_are_left_to_torch() -> None:
    assert not rows.fits([torch.randn(5, 7)])
    assert not rows.averages(torch.randn(5, 7))
    assert not rows.fits([torch.randn(5, 32), torch.randn(5, 16)])


@needs_compiler
@variants
def test_nothing_is_read_or_written_out_of_place(variant: Variant, tmp_path: Path) -> None:
    watched("rows", HERE / "rows_harness.cpp", variant, tmp_path)
