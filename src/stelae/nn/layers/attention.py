"""Attention over packed sequences: every token sees tokens of its own text only."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from stelae.nn.batch import Group, TokenBatch
from stelae.nn.kernels import attention as compiled
from stelae.nn.kernels import varlen


class ByDistance:
    """A bias that depends on the head and on the distance of two tokens alone.

    The compiled kernel reads the table as it is; otherwise it is laid out as a matrix, once.

    Args:
        table: The number of each distance ``j - i``, where a token at ``i`` looks at one at
            ``j``, from ``1 - L`` to ``L - 1`` of the longest text; shape ``(heads, 2 L - 1)``,
            float32, those of a head side by side.
    """

    def __init__(self, table: Tensor) -> None:
        self.table = table
        self._square: Tensor | None = None

    def __call__(self, q: Tensor, k: Tensor) -> Tensor:
        """Shape ``(1, heads, L, L)`` for the ``L`` of one group, in the numbers of its queries."""
        del k
        if self._square is None or self._square.dtype is not q.dtype:
            self._square = square(self.table.to(q.dtype))[None]
        return self._square[..., : q.shape[2], : q.shape[2]]


class ByContent:
    """A bias of products of contents with what belongs to the distance of two tokens.

    Args:
        keys: With which queries are multiplied, for each head and distance ``j - i``, ascending,
            shape ``(heads, 2 L - 1, d)``, distance 0 in the middle; ``None`` if they are not.
        queries: With which keys are multiplied, distances descending; ``None`` if they are not.

    Source:
        He et al. 2021 (arXiv:2006.03654), equation 4.
    """

    def __init__(self, keys: Tensor | None, queries: Tensor | None) -> None:
        self.products = compiled.Products(keys, queries)

    def __call__(self, q: Tensor, k: Tensor) -> Tensor:
        """From queries and keys of a group, shape ``(N, heads, L, d)``, to ``(N, heads, L, L)``."""
        keys, queries = self.products.keys, self.products.queries
        if queries is None:
            return q.new_zeros(()) if keys is None else _multiplied(q, keys)
        # Twice as fast in two steps: a sum of one matrix with another's mirror image is not
        # vectorised.
        back = _multiplied(k, queries).transpose(2, 3).contiguous()
        return back if keys is None else back.add_(_multiplied(q, keys))


Bias = ByDistance | ByContent
"""Added to scaled scores."""


def _multiplied(x: Tensor, table: Tensor) -> Tensor:
    """Products of contents with what belongs to each distance, without a copy of either.

    Every row of the products is shifted by one place against the row above, which a
    stride expresses.

    Args:
        x: Contents, shape ``(N, heads, L, d)``.
        table: For each head, one vector per distance, 0 in the middle; at least
            ``2 L - 1`` of them, shape ``(heads, W, d)``.

    Returns:
        Shape ``(N, heads, L, L)``: number ``j`` of row ``i`` belongs to place
        ``j - i`` from the middle of the table.
    """
    count, heads, length, width = x.shape
    around = table.shape[1] // 2 - length + 1
    near = table[:, around : around + 2 * length - 1]
    tokens = x.transpose(0, 1).reshape(heads, count * length, width)
    products = torch.bmm(tokens, near.transpose(1, 2))
    places = 2 * length - 1
    strides = (length * places, count * length * places, places - 1, 1)
    return products.as_strided((count, heads, length, length), strides, length - 1)


def square(by_distance: Tensor) -> Tensor:
    """What belongs to each distance, shape ``(..., 2 L - 1)``, laid out as ``(..., L, L)``."""
    return by_distance.unfold(-1, by_distance.shape[-1] // 2 + 1, 1).flip(-2)


SCORES = 1 << 24
"""Numbers of a score matrix that are held at once, where one must be held."""

CAPPED_ROWS = 256
"""Rows of it at once where scores are capped: more would compute what causal rows do not see."""


@dataclass(frozen=True, slots=True)
class Span:
    """Which tokens a token sees: those from ``before`` places before it to ``after`` after it.

    ``None`` means all on that side.
    """

    before: int | None = None
    after: int | None = None

    def covers(self, length: int) -> bool:
        """Whether every token of a text of that length sees every other."""
        reach = length - 1
        return all(side is None or side >= reach for side in (self.before, self.after))

    def mask(self, rows: range, columns: range, device: torch.device) -> Tensor:
        """Which tokens in ``columns`` those in ``rows`` see, shape ``(rows, columns)``."""
        at = torch.arange(rows.start, rows.stop, device=device)[:, None]
        seen = torch.arange(columns.start, columns.stop, device=device)[None]
        near = torch.ones(len(rows), len(columns), dtype=torch.bool, device=device)
        if self.before is not None:
            near &= seen >= at - self.before
        if self.after is not None:
            near &= seen <= at + self.after
        return near


EVERYWHERE = Span()
CAUSAL = Span(after=0)


def split(qkv: Tensor, heads: int, kv_heads: int | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Take queries, keys and values out of one fused product, without a copy.

    Args:
        qkv: Side by side, shape ``(T, (heads + 2 kv_heads) d)``.
        heads: Number of query heads.
        kv_heads: Number of key and value heads; ``None`` for as many.

    Returns:
        Shapes ``(T, heads, d)``, ``(T, kv_heads, d)`` and ``(T, kv_heads, d)``.
    """
    kv = kv_heads or heads
    parts = qkv.view(len(qkv), heads + 2 * kv, -1)
    return parts[:, :heads], parts[:, heads : heads + kv], parts[:, heads + kv :]


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    batch: TokenBatch,
    *,
    span: Span = EVERYWHERE,
    scale: float | None = None,
    bias: Bias | None = None,
    softcap: float | None = None,
) -> Tensor:
    """Softmax attention inside each sequence.

    Args:
        q: Queries, shape ``(T, heads, d)``.
        k: Keys, shape ``(T, kv_heads, d)``; each serves ``heads / kv_heads`` query heads.
        v: Values, shape as ``k``.
        batch: Where each sequence lies.
        span: Which tokens of its text a token sees.
        scale: Factor on the scores; ``None`` for ``1 / sqrt(d)``.
        bias: Added to the scaled scores.
        softcap: Bound ``c`` of the scores ``c tanh(score / c)``, before ``bias``.

    Returns:
        Shape ``(T, heads * d)``.

    Source:
        Vaswani et al. 2017, section 3.2 (arXiv:1706.03762); grouped keys: Ainslie et
        al. 2023 (arXiv:2305.13245); soft cap: Gemma Team 2024 (arXiv:2408.00118).
    """
    window = (span.before, span.after)
    if compiled.takes(q, k, v, batch):
        table = bias.table if isinstance(bias, ByDistance) else None
        products = bias.products if isinstance(bias, ByContent) else compiled.Products()
        scores = compiled.Scores(window, scale, softcap, table, products)
        return compiled.attend(q, k, v, batch, scores)
    if bias is None and softcap is None and varlen.takes(q, k, v, batch):
        return varlen.attend(q, k, v, batch, window, scale)
    heads, width = q.shape[1], v.shape[2]
    mixed = torch.empty(len(q), heads, width, dtype=q.dtype, device=q.device)
    for group in batch.groups:
        q_, k_, v_ = (_group(part, group) for part in (q, k, v))
        seen = group.seen
        out = mixed[group.start : group.stop].view(group.count, group.length, heads, width)
        if softcap is not None:
            context = _capped(q_, k_, v_, seen, span, scale, bias, softcap)
        elif bias is None and not span.covers(group.length):
            context = _spanned(q_, k_[:, :, :seen], v_[:, :, :seen], span, scale)
        else:
            mask = _added(q_, k_, seen, span, bias)
            context = _dot_product(q_, k_[:, :, :seen], v_[:, :, :seen], scale, mask)
        out.copy_(context.transpose(1, 2))
    return mixed.view(len(q), heads * width)


def _group(part: Tensor, group: Group) -> Tensor:
    """One group's share, shape ``(N, heads, L, d)``."""
    rows = part[group.start : group.stop]
    return rows.view(group.count, group.length, *part.shape[1:]).transpose(1, 2)


def _dot_product(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    scale: float | None,
    mask: Tensor | None,
    *,
    causal: bool = False,
) -> Tensor:
    return functional.scaled_dot_product_attention(
        q, k, v, attn_mask=mask, is_causal=causal, scale=scale, enable_gqa=k.shape[1] != q.shape[1]
    )


def _added(q: Tensor, k: Tensor, seen: int, span: Span, bias: Bias | None) -> Tensor | None:
    """What is added to the scores: the bias, and minus infinity out of sight."""
    if bias is None:
        return None
    added = bias(q, k).to(q.dtype)[..., :seen]
    length = q.shape[2]
    if span.covers(length):
        return added
    return added.masked_fill(~span.mask(range(length), range(seen), q.device), -torch.inf)


def _spanned(q: Tensor, k: Tensor, v: Tensor, span: Span, scale: float | None) -> Tensor:
    """Attention with a bounded view; of a window, only the band that is seen is computed."""
    length, seen = q.shape[2], k.shape[2]
    if span == CAUSAL and seen == length:
        return _dot_product(q, k, v, scale, None, causal=True)
    pieces = []
    for rows in _blocks(length, span):
        band = _seen(rows, seen, span)
        columns = slice(band.start, band.stop)
        mask = span.mask(rows, band, q.device)
        part = q[:, :, rows.start : rows.stop]
        pieces.append(_dot_product(part, k[:, :, columns], v[:, :, columns], scale, mask))
    return torch.cat(pieces, dim=2)


def _blocks(length: int, span: Span) -> list[range]:
    """Rows in blocks about as long as the window, so that little is computed in vain."""
    size = max(64, (span.before or 0) + (span.after or 0))
    return [range(start, min(start + size, length)) for start in range(0, length, size)]


def _seen(rows: range, length: int, span: Span) -> range:
    """All tokens that any of ``rows`` sees."""
    start = 0 if span.before is None else max(0, rows.start - span.before)
    stop = length if span.after is None else min(length, rows.stop + span.after)
    return range(start, stop)


def _capped(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    seen: int,
    span: Span,
    scale: float | None,
    bias: Bias | None,
    softcap: float,
) -> Tensor:
    """Attention written out, since the fused kernels cannot cap.

    A few texts, or a few rows of one, at a time; of a window, only the band that is seen.
    """
    count, heads, length, width = q.shape
    factor = (width**-0.5 if scale is None else scale) / softcap
    repeat = heads // k.shape[1]
    texts = max(1, SCORES // (heads * length * seen))
    rows = min(length, max(1, SCORES // (heads * seen)), CAPPED_ROWS)
    context = torch.empty(count, heads, length, v.shape[3], dtype=q.dtype, device=q.device)
    for part in (slice(start, start + texts) for start in range(0, count, texts)):
        keys, values = (x[part].repeat_interleave(repeat, dim=1) for x in (k, v))
        added = None if bias is None else bias(q[part], keys)
        for start in range(0, length, rows):
            some = range(start, min(start + rows, length))
            band = _seen(some, seen, span)
            across, down = slice(some.start, some.stop), slice(band.start, band.stop)
            scores = torch.matmul(q[part, :, across], keys[:, :, down].transpose(2, 3))
            scores.mul_(factor).tanh_().mul_(softcap)
            if added is not None:
                scores += added.expand(*added.shape[:-2], length, length)[..., across, down]
            if not span.covers(length):
                scores += torch.where(span.mask(some, band, q.device), 0.0, -torch.inf).to(q.dtype)
            weights = torch.softmax(scores, dim=-1, dtype=torch.float32).to(q.dtype)
            context[part, :, across] = torch.matmul(weights, values[:, :, down])
    return context
