"""Attention over packed sequences on a GPU: PyTorch's kernel for many lengths, where it is sound.

Not every release, processor and width has it. So it is tried once, on a batch whose answer
another kernel gives too, and taken only where both agree.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from inspect import signature
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from stelae.nn.batch import TokenBatch

varlen_attn: Callable[..., Any] | None
try:
    from torch.nn.attention.varlen import varlen_attn
except ImportError:  # before PyTorch 2.10
    varlen_attn = None

Window = tuple[int | None, int | None]
WIDEST = 256
STEP = 8
"""Widths of a head are multiples of it."""

DTYPES = (torch.bfloat16, torch.float16)
PROBE = (5, 70)
"""Lengths of the sequences that it is tried on."""

TOLERANCE = 2e-2
"""Difference of numbers of about 1 that rounding in these formats explains."""


def takes(q: Tensor, k: Tensor, v: Tensor, batch: TokenBatch) -> bool:
    """Whether the kernel reads these and was found sound for their kind.

    Args:
        q: Queries, shape ``(T, heads, d)``.
        k: Keys, shape ``(T, kv_heads, d)``.
        v: Values, shape as ``k``.
        batch: Where each sequence lies; all its tokens must be seen.
    """
    width = q.shape[2]
    return (
        q.is_cuda
        and q.dtype in DTYPES
        and width == v.shape[2]
        and width % STEP == 0
        and width <= WIDEST
        and all(group.seen == group.length for group in batch.groups)
        and _sound(q.device, q.dtype, width, q.shape[1] != k.shape[1])
    )


def attend(
    q: Tensor, k: Tensor, v: Tensor, batch: TokenBatch, window: Window, scale: float | None
) -> Tensor:
    """Softmax attention inside each sequence; as ``kernels.attention.attend``."""
    return _run(q, k, v, batch.bounds, batch.groups[-1].length, window, scale).flatten(1)


def _run(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    bounds: Tensor,
    longest: int,
    window: Window,
    scale: float | None,
) -> Tensor:
    if varlen_attn is None:
        raise NotImplementedError("this release of PyTorch has no such kernel")
    left, right = (-1 if side is None else side for side in window)
    mixed: Tensor = varlen_attn(
        *(q, k, v, bounds, bounds, longest, longest),
        scale=scale,
        window_size=(left, right),
        **_grouping(varlen_attn, q.shape[1] != k.shape[1]),
    )
    return mixed


def _grouping(function: Callable[..., Any], grouped: bool) -> dict[str, bool]:
    """What a release wants to be told of heads that share keys; older ones are told nothing."""
    known = "enable_gqa" in signature(function).parameters
    return {"enable_gqa": True} if grouped and known else {}


@cache
def _sound(device: torch.device, dtype: torch.dtype, width: int, grouped: bool) -> bool:
    """Whether it is there and agrees with the attention for one length."""
    heads, tokens = (4, 2 if grouped else 4), sum(PROBE)
    made = torch.Generator(device).manual_seed(0)
    q, k, v = (
        torch.randn(tokens, count, width, device=device, dtype=dtype, generator=made)
        for count in (heads[0], heads[1], heads[1])
    )
    bounds = torch.tensor([0, PROBE[0], tokens], dtype=torch.int32, device=device)
    try:
        found = _run(q, k, v, bounds, max(PROBE), (None, 0), None)
    except (RuntimeError, NotImplementedError, TypeError, ValueError):
        return False
    parts = [slice(0, PROBE[0]), slice(PROBE[0], tokens)]
    known = torch.cat([_known(q[part], k[part], v[part]) for part in parts])
    return bool((found - known).abs().max() <= TOLERANCE)


def _known(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Causal attention of one sequence."""
    grouped = q.shape[1] != k.shape[1]
    q, k, v = (x.transpose(0, 1)[None] for x in (q, k, v))
    mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=grouped)
    return mixed[0].transpose(0, 1)
