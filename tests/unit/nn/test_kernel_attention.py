"""The compiled attention against its definition in float64, and under sanitizers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from fix_kernels import (
    ROUNDING,
    batch_of,
    kernels,
    needs_compiler,
    none,
    only,
    threads,
    variants,
    watched,
)
from fix_rows import TANGENT, roundings
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from stelae.nn.batch import TokenBatch, pack
from stelae.nn.kernels import attention as kernel
from stelae.nn.kernels import build, varlen
from stelae.nn.kernels.attention import Products, Scores
from stelae.nn.kernels.variants import VARIANTS, Variant, best, compiled, note
from stelae.nn.layers.attention import (
    CAUSAL,
    EVERYWHERE,
    ByContent,
    ByDistance,
    Span,
    attend,
    split,
)

HERE = Path(__file__).parent

Parts = tuple[Tensor, Tensor, Tensor]
ERROR = {torch.float32: 2**-22, torch.bfloat16: 2**-8}
"""Of results for ordinary scores, relative to the largest value: four roundings of float32; of
weights and sum to the 8 bits of bfloat16."""


PLAIN = Scores()


def exact(
    q: Tensor, k: Tensor, v: Tensor, batch: TokenBatch, span: Span, how: Scores = PLAIN
) -> Tensor:
    """Vaswani et al. 2017, equation 1, for each sequence and head in float64.

    Scores are capped as Gemma 2 does (arXiv:2408.00118) and added to as T5 does (arXiv:1910.10683)
    and DeBERTa (arXiv:2006.03654, equation 4).
    """
    repeat = q.shape[1] // k.shape[1]
    q, k, v = (x.double().transpose(0, 1) for x in (q, k, v))
    k, v = (x.repeat_interleave(repeat, dim=0) for x in (k, v))
    mixed = []
    for start, length, seen in zip(
        batch.starts.tolist(), batch.lengths.tolist(), batch.seen.tolist(), strict=True
    ):
        at = slice(start, start + length)
        scores = q[:, at] @ k[:, start : start + seen].transpose(1, 2) / q.shape[2] ** 0.5
        if how.softcap is not None:
            scores = how.softcap * torch.tanh(scores / how.softcap)
        away = torch.arange(seen)[None] - torch.arange(length)[:, None]
        if how.distances is not None:
            scores += how.distances.double()[:, away + how.distances.shape[1] // 2]
        if (rows := how.products.keys) is not None:
            places = (away + rows.shape[1] // 2).expand(len(q), -1, -1)
            scores += (q[:, at] @ rows.double().transpose(1, 2)).gather(2, places)
        if (rows := how.products.queries) is not None:
            places = (rows.shape[1] // 2 - away.T).expand(len(k), -1, -1)
            near = k[:, start : start + seen] @ rows.double().transpose(1, 2)
            scores += near.gather(2, places).transpose(1, 2)
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


def ran(
    variant: Variant,
    parts: Parts,
    batch: TokenBatch,
    span: Span = EVERYWHERE,
    how: Scores = PLAIN,
) -> Tensor:
    """Attention by one kind of kernel, whichever the model would take here."""
    library = compiled(kernel.SOURCE, variant)
    return kernel.run(library, *parts, batch, replace(how, window=(span.before, span.after)))


def by_distance(heads: int, longest: int, size: float = 1.0) -> Tensor:
    """A number of about that size for each head and distance, more than are needed."""
    return size * torch.randn(heads, 2 * longest + 5)


def by_content(heads: int, longest: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """What queries and keys are multiplied with for each head and distance."""
    shape = (2, heads, 2 * longest - 1, like.shape[2])
    keys, queries = (torch.randn(shape) * like.shape[2] ** -0.5).to(like.dtype)
    return keys, queries


def bound(parts: Parts, seen: int, how: Scores = PLAIN) -> float:
    """Largest error that rounding explains."""
    q, k, v = (part.double() for part in parts)
    if parts[0].dtype == torch.bfloat16:
        return float(ERROR[torch.bfloat16] * v.abs().max())
    width, found = q.shape[2], roundings(q, k, seen, how.softcap)
    if how.distances is not None:  # to the units of scores, added, and what they are added to
        found += 2 * 4 * how.distances.abs().max()
    for rows, contents in ((how.products.keys, q), (how.products.queries, k)):
        if rows is not None:
            size = rows.double().norm(dim=2).max() * contents.norm(dim=2).max()
            found += 2 * (5 * width**0.5 + 4) * size
    return float(found * 2**-24 * v.abs().max())


@needs_compiler
@variants
@settings(max_examples=30, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 90) | st.integers(250, 530), min_size=1, max_size=5),
    groups=st.integers(1, 3),
    served=st.integers(1, 3),
    cells=st.integers(1, 20) | st.sampled_from([16, 24, 32, 36, 40, 64]),
    span=spans,
    scale=st.sampled_from([0.1, 1.0, 20.0]),
    seed=st.integers(0, 2**31),
)
def test_it_is_softmax_attention(
    variant: Variant,
    lengths: list[int],
    groups: int,
    served: int,
    cells: int,
    span: Span,
    scale: float,
    seed: int,
) -> None:
    torch.manual_seed(seed)
    batch, heads, width = batch_of(lengths), groups * served, cells * variant.step
    qkv = (scale * torch.randn(sum(lengths), (heads + 2 * groups) * width)).to(variant.dtype)
    parts = split(qkv, heads, groups)
    error = (ran(variant, parts, batch, span).double() - exact(*parts, batch, span)).abs().max()
    assert error <= bound(parts, max(lengths))


@needs_compiler
@variants
@settings(max_examples=30, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 90) | st.integers(250, 530), min_size=1, max_size=5),
    hidden=st.integers(0, 3),
    served=st.integers(1, 3),
    cells=st.integers(1, 20) | st.sampled_from([24, 32, 64]),
    span=spans,
    cap=st.none() | st.sampled_from([0.5, 5.0, 50.0]),
    size=st.none() | st.sampled_from([0.1, 1.0, 20.0]),
    contents=st.sampled_from([(False, False), (True, False), (False, True), (True, True)]),
    seed=st.integers(0, 2**31),
)
def test_scores_are_capped_and_then_added_to(
    variant: Variant,
    lengths: list[int],
    hidden: int,
    served: int,
    cells: int,
    span: Span,
    cap: float | None,
    size: float | None,
    contents: tuple[bool, bool],
    seed: int,
) -> None:
    torch.manual_seed(seed)
    groups, width, longest = 2, cells * variant.step, max(lengths)
    heads = groups * served
    table = None if size is None else by_distance(heads, longest, size)
    seen = lengths if span != EVERYWHERE else [max(1, length - hidden) for length in lengths]
    batch = batch_of(lengths, seen)
    qkv = torch.randn(sum(lengths), (heads + 2 * groups) * width).to(variant.dtype)
    parts = split(qkv, heads, groups)
    rows = by_content(heads, longest, parts[0])
    products = Products(*(x if wanted else None for x, wanted in zip(rows, contents, strict=True)))
    how = Scores(softcap=cap, distances=table, products=products)
    found = ran(variant, parts, batch, span, how)
    error = (found.double() - exact(*parts, batch, span, how)).abs().max()
    assert error <= bound(parts, longest, how)


@needs_compiler
@variants
@pytest.mark.parametrize("cap", [0.5, 5.0, 50.0, 1000.0, 1e4])
def test_caps_err_by_a_few_roundings_of_the_score(variant: Variant, cap: float) -> None:
    sizes = torch.cat([torch.logspace(-4, 4, 4001), torch.linspace(0, 12, 4001)])
    q = torch.zeros(2 * len(sizes) * 2, 1, variant.step, dtype=variant.dtype)
    k, v = torch.zeros_like(q), torch.zeros_like(q)
    q[::2, 0, 0] = torch.cat([sizes, -sizes]).to(variant.dtype)
    k[::2, 0, 0] = v[::2, 0, 0] = 1  # the other token of each two has a score of 0
    how = Scores(scale=1.0, softcap=cap)
    found = ran(variant, (q, k, v), batch_of([2] * (len(q) // 2)), how=how)[::2, 0].double()
    score = cap * torch.tanh(q[::2, 0, 0].double() / cap)
    share = score.sigmoid()
    of_score = (TANGENT + 4) * 2**-24 * score.abs()
    error = 1.01 * share * (1 - share) * of_score + 2 * 2**-24
    roundings = 2 * ROUNDING[variant.dtype]  # of the weight and of the sum
    assert bool(((found - share).abs() <= error + roundings * share).all())


@needs_compiler
@variants
def test_for_ordinary_scores_it_errs_by_a_few_roundings(variant: Variant) -> None:
    torch.manual_seed(4)
    batch = batch_of([7, 128, 510])
    parts = split(torch.randn(645, 3 * 12 * 64).to(variant.dtype), 12)
    error = (ran(variant, parts, batch).double() - exact(*parts, batch, EVERYWHERE)).abs().max()
    assert error <= ERROR[variant.dtype] * parts[2].abs().max()


@needs_compiler
@variants
def test_tokens_that_nobody_sees_only_look(variant: Variant) -> None:
    torch.manual_seed(1)
    batch = batch_of([9, 40, 300], [3, 17, 290])
    parts = split(torch.randn(349, 3 * 64).to(variant.dtype), 2)
    error = (ran(variant, parts, batch).double() - exact(*parts, batch, EVERYWHERE)).abs().max()
    assert error <= ERROR[variant.dtype] * parts[2].abs().max()


WAYS = ("plain", "capped", "added", "queries", "keys", "all")
"""What may become of scores."""


def way_of(name: str, heads: int, longest: int, like: Tensor) -> Scores:
    """It, with what heads like these need for it."""
    table, keys, queries = by_distance(heads, longest), *by_content(heads, longest, like)
    return {
        "plain": PLAIN,
        "capped": Scores(softcap=2.0),
        "added": Scores(distances=table),
        "queries": Scores(products=Products(keys)),
        "keys": Scores(products=Products(None, queries)),
        "all": Scores(softcap=2.0, distances=table, products=Products(keys, queries)),
    }[name]


@needs_compiler
@variants
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("count", [1, 2, 5])
def test_neighbours_and_threads_change_no_bit(variant: Variant, count: int, way: str) -> None:
    torch.manual_seed(2)
    lengths = [1, 5, 16, 17, 200, 300]
    parts = split(torch.randn(sum(lengths), 3 * 96).to(variant.dtype), 3)
    how = way_of(way, 3, 300, parts[0])
    with threads(count):
        together = ran(variant, parts, batch_of(lengths), how=how)
    start = 0
    for length in lengths:
        q, k, v = (x[start : start + length] for x in parts)
        alone = ran(variant, (q, k, v), batch_of([length]), how=how)
        assert torch.equal(alone, together[start : start + length])
        start += length


@needs_compiler
@variants
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("part", [0, 1, 2], ids=["queries", "keys", "values"])
def test_what_is_no_number_shows_and_stays_in_its_sequence(
    variant: Variant, part: int, way: str
) -> None:
    torch.manual_seed(5)
    parts = split(torch.randn(20, 3 * 32).to(variant.dtype), 2)
    parts[part][3, 0, 0] = torch.nan
    mixed = ran(variant, parts, batch_of([8, 12]), how=way_of(way, 2, 12, parts[0]))
    assert mixed[3, :16].isnan().any()
    assert not mixed[8:].isnan().any()


@needs_compiler
@variants
def test_models_take_the_best_kind_for_their_numbers(variant: Variant) -> None:
    first = next(v for v in VARIANTS if v.dtype == variant.dtype and v.runs())
    parts = split(torch.randn(30, 3 * 32).to(variant.dtype), 2)
    batch = batch_of([10, 20])
    assert first.name in note(kernel.SOURCE, variant.dtype)
    assert torch.equal(attend(*parts, batch), ran(first, parts, batch))


@needs_compiler
@variants
@pytest.mark.parametrize("span", [EVERYWHERE, CAUSAL, Span(3, 9)], ids=["all", "causal", "near"])
@pytest.mark.parametrize("way", WAYS)
def test_models_get_the_same_of_pytorch(variant: Variant, way: str, span: Span) -> None:
    torch.manual_seed(7)
    parts = split(torch.randn(64, 6 * 32).to(variant.dtype), 2, 2)
    lengths = [10, 27, 27]
    batch = batch_of(lengths, lengths if span.before else [7, 20, 27])
    how, bias = way_of(way, 2, 27, parts[0]), None
    if how.distances is not None:
        bias = ByDistance(how.distances[:, 3:-3])
    if how.products.distances:
        bias = ByContent(how.products.keys, how.products.queries)
        how = replace(how, distances=None)  # models add one of the two
    with kernels(only(variant)):
        found = attend(*parts, batch, span=span, bias=bias, softcap=how.softcap)
    assert torch.equal(found, ran(variant, parts, batch, span, how))
    with kernels(none):
        known = attend(*parts, batch, span=span, bias=bias, softcap=how.softcap)
    near = 2**-5 if variant.dtype == torch.bfloat16 else 2**-18
    assert torch.allclose(found, known, atol=near, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_of_other_numbers_there_is_none_and_it_says_so(dtype: torch.dtype) -> None:
    assert best(kernel.SOURCE, dtype) is None
    assert str(dtype) in note(kernel.SOURCE, dtype)


@pytest.mark.parametrize(
    ("dtype", "width", "layout"),
    [(torch.float64, 32, 1), (torch.bfloat16, 25, 1), (torch.float32, 32, 2)],
    ids=["format", "width", "layout"],
)
def test_what_it_does_not_read_goes_to_pytorch(dtype: torch.dtype, width: int, layout: int) -> None:
    parts = split(torch.randn(30, 3 * 2 * width * layout).to(dtype), 2 * layout)
    q, k, v = (x[:, ::layout] for x in parts)
    batch = batch_of([10, 20])
    assert not kernel.takes(q, k, v, batch)
    mixed = attend(q, k, v, batch)
    wanted = exact(q, k, v, batch, EVERYWHERE)
    assert torch.allclose(mixed.double(), wanted, atol=2e-2)


@pytest.mark.parametrize("part", [0, 1, 2], ids=["queries", "keys", "values"])
def test_parts_of_several_formats_are_not_for_it(part: int) -> None:
    parts = split(torch.randn(30, 3 * 64).bfloat16(), 2)
    mixed = [x.float() if at == part else x for at, x in enumerate(parts)]
    assert not kernel.takes(*mixed, batch_of([10, 20]))


@needs_compiler
def test_what_is_compiled_is_the_source_that_its_callers_were_imported_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "folder", lambda: tmp_path)
    monkeypatch.setitem(build.SOURCES, "number.h", "constexpr int number = 7;")
    source = '#include "number.h"\nextern "C" int told() { return number; }'
    monkeypatch.setitem(build.SOURCES, "only_known.cpp", source)
    assert build.load("only_known").told() == 7
    assert [file.suffix for file in tmp_path.iterdir()] == [".so"]
    monkeypatch.setitem(build.SOURCES, "number.h", "constexpr int number = 8;")
    assert build.load("only_known").told() == 8


def test_who_has_no_home_gets_a_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert build.folder.__wrapped__().parent == tmp_path


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


@pytest.mark.slow
@pytest.mark.timeout(300)  # a compiler needs eight seconds of its own
@needs_compiler
@variants
def test_no_byte_is_read_or_written_out_of_place(variant: Variant, tmp_path: Path) -> None:
    watched("attention", HERE / "attention_harness.cpp", variant, tmp_path)


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
