"""Attention over packed sequences in bfloat16: the compiled kernel, where it can be had."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import torch
from torch import Tensor

from stelae.nn.batch import TokenBatch
from stelae.nn.kernels.build import BuildFailed, load

INSTRUCTIONS = ("-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx512bf16")
STEP = 16
"""Widths of a head are multiples of it."""

_POINTER, _LONG, _INT = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int
_SIGNATURE: Any = [
    *([_POINTER] * 4),
    *([_LONG] * 4),
    *([_POINTER] * 3),
    *[_LONG, _INT, _INT, _INT, ctypes.c_float, _LONG, _LONG, _INT],
]


@cache
def kernel() -> tuple[ctypes.CDLL | None, str]:
    """The kernel, or ``None``; and a sentence on which, for people."""
    if not torch.cpu._is_avx512_bf16_supported():
        return None, "attention by PyTorch: the processor lacks AVX512-BF16"
    try:
        library = load("attention", *INSTRUCTIONS)
    except BuildFailed as error:
        return None, f"attention by PyTorch: {error}"
    library.stelae_attend.argtypes = _SIGNATURE
    library.stelae_attend.restype = _INT
    return library, "attention by a kernel compiled here (AVX512-BF16)"


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
    return (
        q.dtype == torch.bfloat16
        and q.device.type == "cpu"
        and width == v.shape[2]
        and width % STEP == 0
        and all(x.stride(2) == 1 and x.stride(1) == width for x in parts)
        and kernel()[0] is not None
    )


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    batch: TokenBatch,
    window: tuple[int | None, int | None],
    scale: float | None,
) -> Tensor:
    """Softmax attention inside each sequence, of tensors that ``takes`` accepts.

    Args:
        q: Queries, shape ``(T, heads, d)``.
        k: Keys, shape ``(T, kv_heads, d)``.
        v: Values, shape as ``k``.
        batch: Where each sequence lies.
        window: Places before and after it that a token sees; ``None`` for all on that side.
        scale: Factor on the scores; ``None`` for ``1 / sqrt(d)``.

    Returns:
        Shape ``(T, heads * d)``.

    Raises:
        MemoryError: There is none for keys and values of the longest sequence.
    """
    tokens, heads, width = q.shape
    library, _ = kernel()
    if library is None:
        raise RuntimeError("there is no kernel here; ask `takes` first")
    mixed = torch.empty(tokens, heads * width, dtype=q.dtype)
    failed = library.stelae_attend(
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
