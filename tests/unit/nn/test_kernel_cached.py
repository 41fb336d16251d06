"""The compiled attention of texts that grow, against its definition in float64."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from fix_kernels import kernels, needs_compiler, none, threads, variants, watched
from fix_rows import roundings
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from stelae.nn.kernels import cached as kernel
from stelae.nn.kernels.cached import Kept
from stelae.nn.kernels.variants import VARIANTS, Variant, compiled

HERE = Path(__file__).parent

Parts = tuple[Tensor, Tensor, Tensor]

SPARE = 5
"""Tokens for which there is room beyond the new ones."""


class Text:
    """A text with random queries, keys and values, of which the last tokens are new."""

    def __init__(self, before: int, fresh: int, heads: int, kv: int, variant: Variant) -> None:
        width, self.before, self.fresh = 16 * variant.step, before, fresh
        made = torch.randn(before + fresh, heads + 2 * kv, width).to(variant.dtype)
        self.q, self.k, self.v = made.split([heads, kv, kv], dim=1)

    def kept(self) -> Kept:
        """What was kept of it before."""
        keys, values = (self._room(x) for x in (self.k, self.v))
        return Kept(keys, values, self.before)

    def _room(self, x: Tensor) -> Tensor:
        made = torch.full((x.shape[1], len(x) + SPARE, x.shape[2]), 7.0, dtype=x.dtype)
        made[:, : self.before] = x[: self.before].transpose(0, 1)
        return made

    def exact(self, window: int | None, cap: float | None) -> Tensor:
        """Vaswani et al. 2017, equation 1, for the new tokens, in float64."""
        repeat = self.q.shape[1] // self.k.shape[1]
        q, k, v = (x.double().transpose(0, 1) for x in (self.q, self.k, self.v))
        k, v = (x.repeat_interleave(repeat, dim=0) for x in (k, v))
        scores = q @ k.transpose(1, 2) / q.shape[2] ** 0.5
        if cap is not None:  # Gemma Team 2024 (arXiv:2408.00118), section 2
            scores = cap * torch.tanh(scores / cap)
        away = torch.arange(len(self.q))[:, None] - torch.arange(len(self.q))[None]
        hidden = (away < 0) | (away > (len(self.q) if window is None else window))
        weights = scores.masked_fill(hidden, -torch.inf).softmax(-1)
        return (weights @ v).transpose(0, 1)[self.before :]

    def bound(self, cap: float | None) -> float:
        """Largest error that rounding explains."""
        most = float(self.v.double().abs().max())
        if self.v.dtype == torch.bfloat16:
            return 2.0**-8 * most
        return roundings(self.q, self.k, len(self.q), cap) * 2**-24 * most


def fresh(texts: list[Text]) -> Parts:
    """Queries, keys and values of all new tokens, end to end."""
    q, k, v = (torch.cat([getattr(t, x)[t.before :] for t in texts]) for x in "qkv")
    return q, k, v


def ran(
    variant: Variant,
    texts: list[Text],
    kept: list[Kept] | None = None,
    window: int | None = None,
    cap: float | None = None,
) -> list[Tensor]:
    """What each text gets, by one kind of kernel."""
    counts = [text.fresh for text in texts]
    library = compiled(kernel.SOURCE, variant)
    kept = [text.kept() for text in texts] if kept is None else kept
    made = kernel.run(library, *fresh(texts), counts, kept, window, None, cap)
    return list(made.split(counts))


@needs_compiler
@variants
@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(
        st.tuples(st.integers(0, 600), st.just(1) | st.integers(1, 300)), min_size=1, max_size=4
    ),
    kv=st.integers(1, 3),
    served=st.integers(1, 4),
    window=st.none() | st.integers(0, 400),
    cap=st.none() | st.just(3.0),
    seed=st.integers(0, 2**31),
)
def test_new_tokens_see_what_their_text_had_before(
    variant: Variant,
    sizes: list[tuple[int, int]],
    kv: int,
    served: int,
    window: int | None,
    cap: float | None,
    seed: int,
) -> None:
    torch.manual_seed(seed)
    texts = [Text(before, new, kv * served, kv, variant) for before, new in sizes]
    for text, mixed in zip(texts, ran(variant, texts, None, window, cap), strict=True):
        error = (mixed.double() - text.exact(window, cap)).abs().max()
        assert error <= text.bound(cap)


@needs_compiler
@variants
def test_keys_and_values_are_put_behind_those_before(variant: Variant) -> None:
    texts = [Text(before, new, 4, 2, variant) for before, new in ((0, 3), (9, 1), (70, 300))]
    kept = [text.kept() for text in texts]
    ran(variant, texts, kept)
    for text, now in zip(texts, kept, strict=True):
        for made, given_ in ((now.keys, text.k), (now.values, text.v)):
            assert torch.equal(made[:, :-SPARE].transpose(0, 1), given_)
            assert bool((made[:, -SPARE:] == 7.0).all())


@needs_compiler
@variants
def test_a_text_gets_the_same_alone_and_in_company(variant: Variant) -> None:
    texts = [
        Text(before, new, 4, 2, variant) for before, new in ((0, 260), (280, 1), (3, 7), (512, 513))
    ]
    alone = [ran(variant, [text])[0] for text in texts]
    with threads(2):
        together = ran(variant, texts)
    assert all(torch.equal(one, other) for one, other in zip(alone, together, strict=True))


@needs_compiler
@variants
@pytest.mark.parametrize("pieces", [[380, 20], [5] * 80, [1] * 400], ids=str)
def test_a_token_gets_the_same_in_whatever_pieces_its_text_is_read(
    variant: Variant, pieces: list[int]
) -> None:
    """How much of a text is read in a step depends on its neighbours."""
    torch.manual_seed(0)
    whole = Text(0, sum(pieces), 4, 2, variant)
    kept, made = whole.kept(), []
    library = compiled(kernel.SOURCE, variant)
    for count, q, k, v in zip(pieces, *(x.split(pieces) for x in fresh([whole])), strict=True):
        made.append(kernel.run(library, q, k, v, [count], [kept], None, None, None))
        kept = Kept(kept.keys, kept.values, kept.length + count)
    assert torch.equal(torch.cat(made), ran(variant, [whole])[0])


@needs_compiler
@variants
def test_no_number_in_one_text_harms_no_other(variant: Variant) -> None:
    texts = [Text(20, new, 4, 2, variant) for new in (1, 6, 1)]
    before = ran(variant, texts)
    texts[1].k[3] = torch.nan
    after = ran(variant, texts)
    assert bool(after[1].isnan().all())
    assert torch.equal(before[0], after[0])
    assert torch.equal(before[2], after[2])


@needs_compiler
@pytest.mark.parametrize("order", [(1, 0, 2), (1, 2, 0)], ids=["heads apart", "numbers apart"])
def test_heads_that_lie_apart_are_read_too(order: tuple[int, int, int]) -> None:
    torch.manual_seed(1)
    variant = next(v for v in VARIANTS if v.runs())
    text = Text(30, 5, 4, 2, variant)
    back = torch.argsort(torch.tensor(order)).tolist()
    q, k, v = (x.permute(order).contiguous().permute(back) for x in fresh([text]))
    assert q.stride(1) != q.shape[2]
    library = compiled(kernel.SOURCE, variant)
    made = kernel.run(library, q, k, v, [5], [text.kept()], None, None, None)
    assert torch.equal(made, ran(variant, [text])[0])


def test_others_are_left_to_the_caller() -> None:
    x = torch.randn(3, 2, 16)
    assert not kernel.takes(x, x, x[:, :, :8])
    assert not kernel.takes(x, x.half(), x)
    assert not kernel.takes(x.half(), x.half(), x.half())
    with kernels(none):
        assert not kernel.takes(x, x, x)
        with pytest.raises(RuntimeError, match="ask `takes` first"):
            kernel.attend(x, x, x, [3], [])


@needs_compiler
@variants
def test_it_stays_inside_its_memory(variant: Variant, tmp_path: Path) -> None:
    watched("cached", HERE / "cached_harness.cpp", variant, tmp_path)
