"""Attention of texts that grow, their keys and values kept, by the compiled kernel on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stelae.nn.kernels.variants import FLOAT, INT, LONG, POINTER, Kernel, Source, best

SOURCE = Source(
    "cached",
    "attention",
    "stelae_attend_cached",
    (
        *([POINTER] * 4),
        *([LONG] * 4),
        *([POINTER] * 6),
        *(LONG, INT, INT, INT, FLOAT, LONG, FLOAT, INT),
    ),
)


@dataclass(frozen=True, slots=True)
class Kept:
    """Keys and values of one text in one layer, with room for more.

    Attributes:
        keys: Shape ``(kv_heads, room, d)``, contiguous.
        values: As ``keys``.
        length: How many tokens of them are there.
    """

    keys: Tensor
    values: Tensor
    length: int


def takes(q: Tensor, k: Tensor, v: Tensor) -> bool:
    """Whether the kernel is here and can read these.

    Args:
        q: Queries, shape ``(T, heads, d)``.
        k: Keys, shape ``(T, kv_heads, d)``.
        v: Values, shape as ``k``.
    """
    width = q.shape[2]
    if q.device.type != "cpu" or width != v.shape[2] or any(x.dtype != q.dtype for x in (k, v)):
        return False
    kernel = best(SOURCE, q.dtype)
    return kernel is not None and width % kernel.variant.step == 0


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    counts: Sequence[int],
    kept: Sequence[Kept],
    *,
    before: int | None = None,
    scale: float | None = None,
    softcap: float | None = None,
) -> Tensor:
    """Softmax attention of new tokens to those of their text up to themselves.

    Keys and values of the new tokens are put behind those that are kept.

    Args:
        q: Queries of the new tokens of all texts, end to end, shape ``(T, heads, d)``.
        k: Their keys, shape ``(T, kv_heads, d)``; each serves ``heads / kv_heads`` query heads.
        v: Their values, shape as ``k``.
        counts: How many tokens each text has of them, 1 or more.
        kept: What came before in each text, with room for as many more.
        before: Places before it that a token sees; ``None`` for all.
        scale: Factor on the scores, above 0; ``None`` for ``1 / sqrt(d)``.
        softcap: Bound ``c`` of the scores ``c tanh(score / c)``; ``None`` for none.

    Returns:
        Shape ``(T, heads, d)``.

    Raises:
        MemoryError: There is none for keys and values of the longest text.
    """
    kernel = best(SOURCE, q.dtype)
    if kernel is None:
        raise RuntimeError("there is no kernel here; ask `takes` first")
    return run(kernel, q, k, v, counts, kept, before, scale, softcap)


def run(
    kernel: Kernel,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    counts: Sequence[int],
    kept: Sequence[Kept],
    before: int | None,
    scale: float | None,
    softcap: float | None,
) -> Tensor:
    """As ``attend``, by a kernel that is named."""
    q, k, v = (_side_by_side(x) for x in (q, k, v))
    mixed = torch.empty(q.shape, dtype=q.dtype)
    given = np.array(counts)
    about = np.array([
        given.cumsum() - given,
        given,
        [text.length for text in kept],
        [text.keys.data_ptr() for text in kept],
        [text.values.data_ptr() for text in kept],
        [text.keys.shape[1] for text in kept],
    ])  # fmt: skip
    failed = kernel.run(
        *(x.data_ptr() for x in (q, k, v, mixed)),
        *(x.stride(0) for x in (q, k, v, mixed)),
        *(row.ctypes.data for row in about),
        *(len(kept), q.shape[1], k.shape[1], q.shape[2]),
        q.shape[2] ** -0.5 if scale is None else scale,
        -1 if before is None else before,
        0.0 if softcap is None else softcap,
        torch.get_num_threads(),
    )
    if failed:
        raise MemoryError("no memory for the keys and values of a text")
    return mixed


def _side_by_side(x: Tensor) -> Tensor:
    """Heads of a token next to one another, copied if they are not."""
    return x if x.stride(2) == 1 and x.stride(1) == x.shape[2] else x.contiguous()
