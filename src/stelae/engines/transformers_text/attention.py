"""Attention over packed tokens, each text with its own keys and values.

The library's models call this in place of their own attention. Tokens of all texts lie end
to end in one row; here each text is looked at alone, so no text changes another's numbers, and
nothing is padded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import AttentionInterface

from stelae.engines.chat.stepping import blocks
from stelae.nn.kernels import cached
from stelae.nn.kernels.cached import Kept

NAME = "stelae_packed"


class Memory:
    """Keys and values of one text, in every layer.

    Attributes:
        windows: Tokens that each layer sees; ``None`` for all.
    """

    def __init__(self) -> None:
        self.windows: dict[int, int | None] = {}
        self._kept: dict[int, tuple[Tensor, Tensor]] = {}
        self._lengths: dict[int, int] = {}

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Keep more of a layer, shapes ``(heads, n, d)``; returns all of it."""
        kept = self.grow(layer, keys, values)
        before, length = kept.length, kept.length + keys.shape[1]
        kept.keys[:, before:length] = keys
        kept.values[:, before:length] = values
        return kept.keys[:, :length], kept.values[:, :length]

    def grow(self, layer: int, keys: Tensor, values: Tensor) -> Kept:
        """Room for more of a layer, shapes ``(heads, n, d)``, which counts as kept from here on."""
        before = self._lengths.get(layer, 0)
        length = before + keys.shape[1]
        old_k, old_v = self._kept.get(layer, (keys[:, :0], values[:, :0]))
        k, v = _enough(old_k, before, length), _enough(old_v, before, length)
        self._kept[layer], self._lengths[layer] = (k, v), length
        return Kept(k, v, before)

    def fork(self, tokens: int) -> Memory:
        """A memory of its own that begins as this one does.

        What both have is copied, layer by layer, when more is first kept: this one can be
        given back before.
        """
        made = Memory()
        for layer, (k, v) in self._kept.items():
            made._kept[layer] = k[:, :tokens], v[:, :tokens]
            made._lengths[layer] = tokens
        return made

    def release(self) -> None:
        """Give them back."""
        self._kept.clear()
        self._lengths.clear()


def _enough(old: Tensor, used: int, length: int) -> Tensor:
    return old if used and old.shape[1] >= length else _room(old, used, length)


def _room(old: Tensor, used: int, length: int) -> Tensor:
    """A copy of the first ``used`` tokens, with room for ``length``."""
    heads, _, width = old.shape
    made = old.new_empty(heads, blocks(length), width)
    made[:, :used] = old[:, :used]
    return made


@dataclass(frozen=True, slots=True)
class Row:
    """The tokens of one text in a step: where they lie, and what came before them."""

    start: int
    stop: int
    memory: Memory


def attend(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    rows: Sequence[Row] = (),
    **options: Any,
) -> tuple[Tensor, None]:
    """The library's interface of attention.

    Args:
        module: The layer's attention, which knows its number.
        query: Shape ``(1, heads, T, d)``.
        key: Shape ``(1, kv_heads, T, d)``.
        value: As ``key``.
        attention_mask: Not used: what is seen follows from ``rows``.
        scaling: Factor on the scores.
        sliding_window: Tokens that a token sees, itself included; ``None`` for all.
        softcap: Bound that scores come near and do not pass; ``None`` for none.
        rows: The texts.
        options: Others that layers give; those that change scores are refused when a model
            is loaded, since its numbers are compared with the library's own then.

    Returns:
        Shape ``(1, T, heads, d)``, and no weights.
    """
    del attention_mask, options
    for row in rows:
        row.memory.windows[module.layer_idx] = sliding_window
    q, k, v = (x[0].transpose(0, 1) for x in (query, key, value))
    if cached.takes(q, k, v):
        kept = [
            row.memory.grow(module.layer_idx, *(_part(x, row) for x in (key, value)))
            for row in rows
        ]
        counts = [row.stop - row.start for row in rows]
        before = None if sliding_window is None else sliding_window - 1
        mixed = cached.attend(q, k, v, counts, kept, before=before, scale=scaling, softcap=softcap)
        return mixed.unsqueeze(0), None
    made = [
        _one(
            _part(query, row),
            *row.memory.extend(module.layer_idx, *(_part(x, row) for x in (key, value))),
            scaling,
            sliding_window,
            softcap,
        )
        for row in rows
    ]
    return torch.cat(made, dim=1).transpose(0, 1).unsqueeze(0), None


def _part(x: Tensor, row: Row) -> Tensor:
    """One text's share, shape ``(heads, n, d)``."""
    return x[0, :, row.start : row.stop]


def _one(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    scaling: float | None,
    window: int | None,
    softcap: float | None,
) -> Tensor:
    if softcap is not None:
        return _capped(q, k, v, scaling, window, softcap)
    if q.shape[1] == 1:
        return _next(q, k, v, scaling, window)
    made: Tensor = functional.scaled_dot_product_attention(
        q[None],
        k[None],
        v[None],
        attn_mask=_seen(q, k.shape[1], window),
        is_causal=q.shape[1] == k.shape[1] and (window is None or window >= k.shape[1]),
        scale=scaling,
        enable_gqa=q.shape[0] != k.shape[0],
    )[0]
    return made


def _next(q: Tensor, k: Tensor, v: Tensor, scaling: float | None, window: int | None) -> Tensor:
    """Attention of one new token, which sees all that came before.

    Heads that share keys are laid out as tokens of one head: on CPU this takes a sixth of the
    time of the plain call in bf16, which is made for many new tokens.
    """
    if window is not None:
        k, v = k[:, -window:], v[:, -window:]
    heads, _, width = q.shape
    grouped = q.reshape(1, k.shape[0], heads // k.shape[0], width)
    made = functional.scaled_dot_product_attention(grouped, k[None], v[None], scale=scaling)
    return made.reshape(heads, 1, width)


def _capped(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    scaling: float | None,
    window: int | None,
    cap: float,
) -> Tensor:
    """Attention whose scores are bounded; PyTorch's has no place for that.

    Source: Gemma Team 2024 (arXiv:2408.00118), section 2.
    """
    groups = q.shape[0] // k.shape[0]
    keys, values = k.repeat_interleave(groups, 0), v.repeat_interleave(groups, 0)
    scores = q @ keys.mT * (q.shape[-1] ** -0.5 if scaling is None else scaling)
    scores = torch.tanh(scores / cap) * cap
    seen = _seen(q, k.shape[1], window)
    if seen is None:
        seen = torch.ones(q.shape[1], k.shape[1], dtype=torch.bool, device=q.device).tril()
    chances = scores.masked_fill(~seen, float("-inf")).float().softmax(-1)
    return chances.to(values.dtype) @ values


def _seen(q: Tensor, length: int, window: int | None) -> Tensor | None:
    """Which of ``length`` tokens the last ones see; ``None`` for all up to each itself."""
    new = q.shape[1]
    if new == length and (window is None or window >= length):
        return None
    at = torch.arange(length - new, length, device=q.device)[:, None]
    places = torch.arange(length, device=q.device)[None]
    seen = places <= at
    if window is not None:
        seen &= places > at - window
    return seen


AttentionInterface.register(NAME, attend)
