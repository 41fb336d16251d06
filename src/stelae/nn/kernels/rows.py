"""What is before the blocks and behind them, on the CPU: rows that are added up, or averaged.

For few tokens a call keeps the interpreter: it is over before another thread could use it, and to
get it back would take longer.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from stelae.nn.batch import TokenBatch
from stelae.nn.kernels.linear import aligned
from stelae.nn.kernels.variants import (
    FLOAT,
    INT,
    LONG,
    POINTER,
    Kernel,
    Source,
    Variant,
    best,
    compiled,
)

EMBED = Source(
    "rows",
    "embeddings",
    "stelae_embed",
    (POINTER, LONG, LONG, *([POINTER] * 3), INT, POINTER, POINTER, FLOAT, INT),
)
MEANS = Source(
    "rows", "means", "stelae_means", (*([POINTER] * 2), LONG, *([POINTER] * 3), LONG, INT)
)

OUTSIDE = 2
"""What the kernel returns where a token has no row in a table."""

FEW = 256
"""Tokens up to which the interpreter is kept: a tenth of a millisecond."""


class Embeddings:
    """Rows of tables, added up and normalised.

    Args:
        tables: Contiguous, each of shape ``(rows, W)``, on the CPU and of one number format.
        scale: What the norm multiplies by, shape ``(W,)``.
        shift: What it adds then, shape ``(W,)``.
        eps: Added to the variance.

    Raises:
        RuntimeError: There is no kernel for them; ``fits`` tells.
    """

    def __init__(self, tables: Sequence[Tensor], scale: Tensor, shift: Tensor, eps: float) -> None:
        kernel = _kernel(EMBED, tables[0])
        if kernel is None:
            raise RuntimeError("there is no kernel here; ask `fits` first")
        # Of parameters themselves the memory may be given back, as where a model is converted.
        self._kernel, self._tables = kernel, [table.detach() for table in tables]
        self._starts = _pointers(self._tables)
        self._sizes = (LONG * len(self._tables))(*map(len, self._tables))
        self._norm = aligned(scale.detach().float()), aligned(shift.detach().float())
        self._rest = len(tables), *(row.data_ptr() for row in self._norm), eps
        self._width, self._dtype = tables[0].shape[1], tables[0].dtype

    def run(self, places: Sequence[Tensor | None]) -> Tensor:
        """Embed tokens.

        Args:
            places: Row in each table for each token, int64, shape ``(T,)``; ``None`` for the first
                row of a table for all, but not for the first table.

        Returns:
            Shape ``(T, W)``.

        Raises:
            IndexError: A place is outside its table.
            MemoryError: There is none for a row.
        """
        first = places[0]
        count = 0 if first is None else len(first)
        made = torch.empty(count, self._width, dtype=self._dtype)
        failed = _called(EMBED, self._kernel, count)(
            *(made.data_ptr(), count, self._width, self._starts, self._sizes, _pointers(places)),
            *(*self._rest, torch.get_num_threads()),
        )
        if failed == OUTSIDE:
            rows = [len(table) for table in self._tables]
            raise IndexError(f"a token has no row in the tables of embeddings, which have {rows}")
        if failed:
            raise MemoryError("no memory for the embedding of a token")
        return made


def fits(tables: Sequence[Tensor]) -> bool:
    """Whether the kernel is here and adds up rows of such tables."""
    first = tables[0]
    alike = all(t.shape[1] == first.shape[1] and t.dtype == first.dtype for t in tables)
    return alike and all(map(Tensor.is_contiguous, tables)) and _kernel(EMBED, first) is not None


def averages(x: Tensor) -> bool:
    """Whether the kernel is here and averages such token vectors, shape ``(T, W)``."""
    return x.is_contiguous() and _kernel(MEANS, x) is not None


def means(x: Tensor, batch: TokenBatch) -> Tensor:
    """Mean of each sequence's token vectors but those that it skips.

    Args:
        x: Token vectors, shape ``(T, W)``; ``averages`` accepts them.
        batch: Where each sequence lies.

    Returns:
        Shape ``(B, W)``, float32; zeros where all are skipped.
    """
    kernel = _kernel(MEANS, x)
    if kernel is None:
        raise RuntimeError("there is no kernel here; ask `averages` first")
    made = torch.empty(batch.size, x.shape[1])
    skips = None if batch.skips is None else torch.minimum(batch.skips, batch.lengths)
    _called(MEANS, kernel, len(x))(
        *(made.data_ptr(), x.data_ptr(), x.shape[1], batch.starts.data_ptr()),
        *(batch.lengths.data_ptr(), None if skips is None else skips.data_ptr(), batch.size),
        torch.get_num_threads(),
    )
    return made


def _kernel(source: Source, rows: Tensor) -> Kernel | None:
    """The kernel for rows of a table or of tokens."""
    kernel = best(source, rows.dtype) if rows.device.type == "cpu" else None
    return None if kernel is None or rows.shape[1] % kernel.variant.lanes else kernel


def _called(source: Source, kernel: Kernel, tokens: int) -> Callable[..., int]:
    """The function of a kernel, which leaves the interpreter to others where that pays."""
    return kernel.run if tokens > FEW else _keeping(source, kernel.variant)


@cache
def _keeping(source: Source, variant: Variant) -> Callable[..., int]:
    """The function of a kernel, called without letting go of the interpreter."""
    function: Any = compiled(source, variant).run  # a function of ctypes, whose type has no name
    address = ctypes.cast(function, POINTER).value or 0
    made: Callable[..., int] = ctypes.PYFUNCTYPE(INT, *source.takes)(address)
    return made


def _pointers(rows: Sequence[Tensor | None]) -> ctypes.Array[ctypes.c_void_p]:
    return (POINTER * len(rows))(*(None if row is None else row.data_ptr() for row in rows))
