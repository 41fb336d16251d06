"""Attention over packed sequences on the CPU: the compiled kernel, where it can be had."""

from __future__ import annotations

from dataclasses import dataclass

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
        *(LONG, INT, INT, INT, FLOAT, LONG, LONG),
        *(FLOAT, POINTER, LONG, INT),
    ),
)

Window = tuple[int | None, int | None]


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """What becomes of the products of queries and keys.

    Attributes:
        window: Places before and after it that a token sees; ``None`` for all on that side.
        scale: Factor on them, above 0; ``None`` for ``1 / sqrt(d)``.
        softcap: Bound ``c``, above 0, of the scaled scores ``s``, which become ``c tanh(s / c)``;
            ``None`` for none.
        distances: Then added: for each head and distance ``j - i`` of two tokens a number, shape
            ``(heads, 2 L - 1)``, distance 0 in the middle, ``L`` as long as any sequence; float32,
            those of a head side by side. ``None`` if nothing is added.
    """

    window: Window = (None, None)
    scale: float | None = None
    softcap: float | None = None
    distances: Tensor | None = None


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


def attend(q: Tensor, k: Tensor, v: Tensor, batch: TokenBatch, scores: Scores) -> Tensor:
    """Softmax attention inside each sequence, of tensors that ``takes`` accepts.

    Args:
        q: Queries, shape ``(T, heads, d)``.
        k: Keys, shape ``(T, kv_heads, d)``.
        v: Values, shape as ``k``.
        batch: Where each sequence lies.
        scores: What becomes of products of queries and keys.

    Returns:
        Shape ``(T, heads * d)``.

    Raises:
        MemoryError: There is none for keys and values of the longest sequence.
    """
    kernel = best(SOURCE, q.dtype)
    if kernel is None:
        raise RuntimeError("there is no kernel here; ask `takes` first")
    return run(kernel, q, k, v, batch, scores)


def run(
    kernel: Kernel, q: Tensor, k: Tensor, v: Tensor, batch: TokenBatch, scores: Scores
) -> Tensor:
    """As ``attend``, by a kernel that is named."""
    tokens, heads, width = q.shape
    mixed = torch.empty(tokens, heads * width, dtype=q.dtype)
    failed = kernel.run(
        *(x.data_ptr() for x in (q, k, v, mixed)),
        *(x.stride(0) for x in (q, k, v, mixed)),
        *(x.data_ptr() for x in (batch.starts, batch.lengths, batch.seen)),
        *(batch.size, heads, k.shape[1], width),
        width**-0.5 if scores.scale is None else scores.scale,
        *(-1 if side is None else side for side in scores.window),
        scores.softcap or 0.0,
        *middle(scores.distances),
        torch.get_num_threads(),
    )
    if failed:
        raise MemoryError("no memory for the keys and values of a sequence")
    return mixed


def middle(distances: Tensor | None) -> tuple[int | None, int]:
    """Address of the number of distance 0, and how many numbers the next head's is behind it."""
    if distances is None:
        return None, 0
    return distances[0, distances.shape[1] // 2 :].data_ptr(), distances.stride(0)
