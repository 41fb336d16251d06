"""Attention over packed sequences on the CPU: the compiled kernel, where it can be had."""

from __future__ import annotations

import torch
from torch import Tensor

from stelae.nn.batch import TokenBatch
from stelae.nn.kernels.variants import FLOAT, INT, LONG, POINTER, Kernel, Source, best

SOURCE = Source(
    "attention",
    "attention",
    "stelae_attend",
    (
        *([POINTER] * 4),
        *([LONG] * 4),
        *([POINTER] * 3),
        *(LONG, INT, INT, INT, FLOAT, LONG, LONG, INT),
    ),
)

Window = tuple[int | None, int | None]


def takes(q: Tensor, k: Tensor, v: Tensor, batch: TokenBatch) -> bool:
    """Whether the kernel is here and can read these.

    Args:
        q: Queries, shape ``(T, heads, d)``.
        k: Keys, shape ``(T, kv_heads, d)``.
        v: Values, shape as ``k``.
        batch: Where each sequence lies.
    """
    del batch  # sequences of every length will do
    parts, width = (q, k, v), q.shape[2]
    if q.device.type != "cpu" or width != v.shape[2]:
        return False
    if any(x.dtype != q.dtype for x in parts):
        return False
    if any(x.stride(2) != 1 or x.stride(1) != width for x in parts):
        return False
    kernel = best(SOURCE, q.dtype)
    return kernel is not None and width % kernel.variant.step == 0


def attend(
    q: Tensor, k: Tensor, v: Tensor, batch: TokenBatch, window: Window, scale: float | None
) -> Tensor:
    """Softmax attention inside each sequence, of tensors that ``takes`` accepts.

    Args:
        q: Queries, shape ``(T, heads, d)``.
        k: Keys, shape ``(T, kv_heads, d)``.
        v: Values, shape as ``k``.
        batch: Where each sequence lies.
        window: Places before and after it that a token sees; ``None`` for all on that side.
        scale: Factor on the scores, above 0; ``None`` for ``1 / sqrt(d)``.

    Returns:
        Shape ``(T, heads * d)``.

    Raises:
        MemoryError: There is none for keys and values of the longest sequence.
    """
    kernel = best(SOURCE, q.dtype)
    if kernel is None:
        raise RuntimeError("there is no kernel here; ask `takes` first")
    return run(kernel, q, k, v, batch, window, scale)


def run(
    kernel: Kernel,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    batch: TokenBatch,
    window: Window,
    scale: float | None,
) -> Tensor:
    """As ``attend``, by a kernel that is named."""
    tokens, heads, width = q.shape
    mixed = torch.empty(tokens, heads * width, dtype=q.dtype)
    failed = kernel.run(
        *(x.data_ptr() for x in (q, k, v, mixed)),
        *(x.stride(0) for x in (q, k, v, mixed)),
        *(x.data_ptr() for x in (batch.starts, batch.lengths, batch.seen)),
        *(batch.size, heads, k.shape[1], width),
        width**-0.5 if scale is None else scale,
        *(-1 if side is None else side for side in window),
        torch.get_num_threads(),
    )
    if failed:
        raise MemoryError("no memory for the keys and values of a sequence")
    return mixed
