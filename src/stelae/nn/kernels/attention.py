"""Attention over packed sequences on the CPU: the compiled kernel, where it can be had."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor

from stelae.nn.batch import TokenBatch
from stelae.nn.kernels.build import BuildFailed, load


@dataclass(frozen=True, slots=True)
class Variant:
    """The kernel for one number format and one kind of processor.

    Attributes:
        name: Of the instructions that it uses.
        dtype: Of queries, keys, values and the result.
        step: Widths of a head are multiples of it.
        runs: Whether the processor has the instructions.
        flags: Of the compiler.
    """

    name: str
    dtype: torch.dtype
    step: int
    runs: Callable[[], bool]
    flags: tuple[str, ...]


def _capability(*known: str) -> Callable[[], bool]:
    """Whether it is one of the levels that PyTorch's own kernels are chosen by."""
    return lambda: torch.backends.cpu.get_cpu_capability() in known


VARIANTS = (
    Variant(
        *("AVX512-BF16", torch.bfloat16, 2, torch.cpu._is_avx512_bf16_supported),
        ("-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512bf16", "-DSTELAE_BFLOAT16"),
    ),
    Variant("AVX-512", torch.float32, 1, _capability("AVX512"), ("-mavx512f",)),
    Variant("AVX2", torch.float32, 1, _capability("AVX2", "AVX512"), ("-mavx2", "-mfma")),
)
"""The best for a number format first."""

_POINTER, _LONG, _INT = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int
_SIGNATURE: Any = [
    *([_POINTER] * 4),
    *([_LONG] * 4),
    *([_POINTER] * 3),
    *[_LONG, _INT, _INT, _INT, ctypes.c_float, _LONG, _LONG, _INT],
]


@dataclass(frozen=True, slots=True)
class Kernel:
    """What there is for a number format on this machine.

    Attributes:
        code: The compiled kernel; ``None`` for PyTorch's attention.
        step: Widths of a head are multiples of it.
        note: Which attention it is, for people.
    """

    code: ctypes.CDLL | None
    step: int
    note: str


@cache
def kernel(dtype: torch.dtype) -> Kernel:
    """The kernel for a number format, compiled if it was not yet."""
    variants = [variant for variant in VARIANTS if variant.dtype == dtype]
    found = next((variant for variant in variants if variant.runs()), None)
    if found is None:
        wanted = " or ".join(variant.name for variant in variants)
        lack = f"the processor lacks {wanted}" if wanted else f"no kernel is for {dtype}"
        return Kernel(None, 1, f"attention by PyTorch: {lack}")
    try:
        library = compiled(found)
    except BuildFailed as error:
        return Kernel(None, 1, f"attention by PyTorch: {error}")
    return Kernel(library, found.step, f"attention by a kernel compiled here ({found.name})")


def compiled(variant: Variant) -> ctypes.CDLL:
    """The kernel of one kind.

    Raises:
        BuildFailed: It cannot be compiled here.
    """
    library = load("attention", *variant.flags)
    library.stelae_attend.argtypes = _SIGNATURE
    library.stelae_attend.restype = _INT
    return library


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
    found = kernel(q.dtype)
    return found.code is not None and width % found.step == 0


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
        scale: Factor on the scores, above 0; ``None`` for ``1 / sqrt(d)``.

    Returns:
        Shape ``(T, heads * d)``.

    Raises:
        MemoryError: There is none for keys and values of the longest sequence.
    """
    library = kernel(q.dtype).code
    if library is None:
        raise RuntimeError("there is no kernel here; ask `takes` first")
    return run(library, q, k, v, batch, window, scale)


def run(
    library: ctypes.CDLL,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    batch: TokenBatch,
    window: tuple[int | None, int | None],
    scale: float | None,
) -> Tensor:
    """As ``attend``, by a kernel that is named."""
    tokens, heads, width = q.shape
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
