"""The compiled attention against its definition in float64, and under sanitizers."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from stelae.nn.batch import TokenBatch, pack
from stelae.nn.kernels import attention as kernel
from stelae.nn.kernels import build, varlen
from stelae.nn.layers.attention import CAUSAL, EVERYWHERE, Span, attend, split

HERE = Path(__file__).parent
SOURCE = Path(build.__file__).with_name("attention.cpp")

needs_kernel = pytest.mark.skipif(kernel.kernel()[0] is None, reason=kernel.kernel()[1])


def batch_of(lengths: list[int], seen: list[int] | None = None) -> TokenBatch:
    return pack([np.zeros(n, np.int32) for n in lengths], seen=seen or ())


def exact(q: Tensor, k: Tensor, v: Tensor, batch: TokenBatch, span: Span) -> Tensor:
    """Vaswani et al. 2017, equation 1, for each sequence and head in float64."""
    repeat = q.shape[1] // k.shape[1]
    q, k, v = (x.double().transpose(0, 1) for x in (q, k, v))
    k, v = (x.repeat_interleave(repeat, dim=0) for x in (k, v))
    mixed = []
    for start, length, seen in zip(
        batch.starts.tolist(), batch.lengths.tolist(), batch.seen.tolist(), strict=True
    ):
        at = slice(start, start + length)
        scores = q[:, at] @ k[:, start : start + seen].transpose(1, 2) / q.shape[2] ** 0.5
        hidden = ~span.mask(range(length), range(seen), q.device)
        weights = scores.masked_fill(hidden, -torch.inf).softmax(-1)
        mixed.append((weights @ v[:, start : start + seen]).transpose(0, 1))
    return torch.cat(mixed).flatten(1)


spans = st.one_of(
    st.just(EVERYWHERE),
    st.just(CAUSAL),
    st.builds(Span, st.integers(0, 80), st.integers(0, 80)),
    st.builds(Span, st.integers(0, 300), st.just(0)),
)


@needs_kernel
@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 90) | st.integers(250, 530), min_size=1, max_size=5),
    groups=st.integers(1, 3),
    served=st.integers(1, 3),
    width=st.sampled_from([16, 32, 48, 64, 80, 128]),
    span=spans,
    scale=st.sampled_from([0.1, 1.0, 20.0]),
    seed=st.integers(0, 2**31),
)
def test_it_is_softmax_attention(
    lengths: list[int],
    groups: int,
    served: int,
    width: int,
    span: Span,
    scale: float,
    seed: int,
) -> None:
    torch.manual_seed(seed)
    batch, heads = batch_of(lengths), groups * served
    qkv = (scale * torch.randn(sum(lengths), (heads + 2 * groups) * width)).bfloat16()
    parts = split(qkv, heads, groups)
    assert kernel.takes(*parts, batch)
    mixed = attend(*parts, batch, span=span)
    # Weights are rounded to 8 bits, and so is the sum: together at most 2**-8 of the values.
    bound = 2**-8 * parts[2].abs().max().item()
    assert (mixed.double() - exact(*parts, batch, span)).abs().max() <= bound


@needs_kernel
def test_tokens_that_nobody_sees_only_look() -> None:
    torch.manual_seed(1)
    batch = batch_of([9, 40, 300], [3, 17, 290])
    parts = split(torch.randn(349, 3 * 64).bfloat16(), 2)
    mixed = attend(*parts, batch)
    assert (mixed.double() - exact(*parts, batch, EVERYWHERE)).abs().max() <= 2**-8 * 5


@needs_kernel
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_neighbours_and_threads_change_no_bit(threads: int) -> None:
    torch.manual_seed(2)
    lengths = [1, 5, 16, 17, 200, 300]
    parts = split(torch.randn(sum(lengths), 3 * 96).bfloat16(), 3)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        together = attend(*parts, batch_of(lengths))
    finally:
        torch.set_num_threads(before)
    start = 0
    for length in lengths:
        q, k, v = (x[start : start + length] for x in parts)
        alone = attend(q, k, v, batch_of([length]))
        assert torch.equal(alone, together[start : start + length])
        start += length


@needs_kernel
def test_weights_that_are_no_numbers_stay_in_their_sequence() -> None:
    parts = split(torch.randn(20, 3 * 32).bfloat16(), 2)
    parts[2][3, 0, 0] = torch.nan
    mixed = attend(*parts, batch_of([8, 12]))
    assert mixed[:8].isnan().any()
    assert not mixed[8:].isnan().any()


@pytest.mark.parametrize(
    ("dtype", "width", "layout"),
    [(torch.float32, 32, 1), (torch.bfloat16, 24, 1), (torch.bfloat16, 32, 2)],
    ids=["float32", "width", "layout"],
)
def test_what_it_does_not_read_goes_to_pytorch(dtype: torch.dtype, width: int, layout: int) -> None:
    parts = split(torch.randn(30, 3 * 2 * width * layout).to(dtype), 2 * layout)
    q, k, v = (x[:, ::layout] for x in parts)
    batch = batch_of([10, 20])
    assert not kernel.takes(q, k, v, batch)
    mixed = attend(q, k, v, batch)
    wanted = exact(q, k, v, batch, EVERYWHERE)
    assert torch.allclose(mixed.double(), wanted, atol=2e-2)


def test_without_a_compiler_there_is_none_and_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(build.BuildFailed, match=r"c\+\+"):
        build.load("attention")


def test_what_does_not_compile_is_said_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(build.BuildFailed, match=r"attention\.cpp could not be built"):
        build.load("attention", "-no-such-flag")


def test_a_cache_that_others_may_write_to_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    place = tmp_path / "stelae" / "kernels"
    place.mkdir(parents=True)
    place.chmod(0o777)
    assert build.folder.__wrapped__() != place
    place.chmod(0o700)
    assert build.folder.__wrapped__() == place


@needs_kernel
def test_no_byte_is_read_or_written_out_of_place(tmp_path: Path) -> None:
    compiler = shutil.which("c++")
    assert compiler is not None
    program = tmp_path / "harness"
    subprocess.run(
        [
            compiler,
            *("-O1", "-g", "-std=c++17", "-w", "-fsanitize=address,undefined"),
            *("-fno-sanitize-recover=all", *kernel.INSTRUCTIONS),
            *(str(SOURCE), str(HERE / "attention_harness.cpp"), "-o", str(program)),
        ],
        check=True,
    )
    subprocess.run([str(program)], check=True, env={"ASAN_OPTIONS": "detect_leaks=0"})


def test_the_kernel_for_gpus_is_not_asked_elsewhere() -> None:
    parts = split(torch.randn(30, 3 * 64).bfloat16(), 2)
    assert not varlen.takes(*parts, batch_of([10, 20]))


@pytest.mark.parametrize("fails", [RuntimeError, NotImplementedError, TypeError, None])
def test_a_kernel_that_fails_or_errs_is_not_taken(
    fails: type[Exception] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(q: Tensor, *rest: object, **named: object) -> Tensor:
        if fails is not None:
            raise fails("no such kernel")
        return torch.zeros_like(q)

    monkeypatch.setattr(varlen, "varlen_attn", wrong)
    assert not varlen._sound.__wrapped__(torch.device("cpu"), torch.bfloat16, 32, False)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("span", [EVERYWHERE, CAUSAL, Span(20, 20)], ids=["all", "causal", "near"])
@pytest.mark.parametrize("groups", [4, 2])
def test_the_kernel_for_gpus_is_softmax_attention(span: Span, groups: int) -> None:
    torch.manual_seed(3)
    lengths = [1, 7, 64, 300]
    batch = pack([np.zeros(n, np.int32) for n in lengths], device="cuda")
    parts = split(torch.randn(sum(lengths), (4 + 2 * groups) * 64).bfloat16().cuda(), 4, groups)
    mixed = attend(*parts, batch, span=span)
    assert (mixed.double() - exact(*parts, batch, span)).abs().max() <= 2**-7 * 5
