"""Attention over packed sequences on the CPU: the compiled kernel, where it can be had."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from stelae.nn.batch import TokenBatch
from stelae.nn.kernels.linear import aligned
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
        *(FLOAT, POINTER, LONG, POINTER, POINTER, LONG, INT),
    ),
)

Window = tuple[int | None, int | None]


@dataclass(frozen=True, slots=True, eq=False)
class Products:
    """What contents are multiplied with for each distance.

    Attributes:
        keys: With which queries are, for each head and distance ``j - i``, ascending, shape
            ``(heads, 2 L - 1, d)``, distance 0 in the middle; ``None`` if they are not.
        queries: With which keys are, distances descending; ``None`` if they are not.
    """

    keys: Tensor | None = None
    queries: Tensor | None = None

    @property
    def distances(self) -> int:
        """How many distances there are."""
        known = self.queries if self.keys is None else self.keys
        return 0 if known is None else known.shape[1]


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
        products: Of contents with what belongs to distances, added too.
    """

    window: Window = (None, None)
    scale: float | None = None
    softcap: float | None = None
    distances: Tensor | None = None
    products: Products = Products()


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
    lanes, products = kernel.variant.lanes, scores.products
    laid_out = [x if x is None else _laid_out(x, lanes) for x in (products.keys, products.queries)]
    failed = kernel.run(
        *(x.data_ptr() for x in (q, k, v, mixed)),
        *(x.stride(0) for x in (q, k, v, mixed)),
        *(x.data_ptr() for x in (batch.starts, batch.lengths, batch.seen)),
        *(batch.size, heads, k.shape[1], width),
        width**-0.5 if scores.scale is None else scores.scale,
        *(-1 if side is None else side for side in scores.window),
        scores.softcap or 0.0,
        *middle(scores.distances),
        *(None if rows is None else rows.data_ptr() for rows in laid_out),
        products.distances,
        torch.get_num_threads(),
    )
    if failed:
        raise MemoryError("no memory for the keys and values of a sequence")
    return mixed


def _laid_out(rows: Tensor, lanes: int) -> Tensor:
    """As the kernel lays keys out: per ``lanes`` rows, per cell, the cells of all of them."""
    cells = functional.pad(rows.view(torch.int32), (0, 0, 0, -rows.shape[1] % lanes))
    return aligned(cells.view(len(cells), -1, lanes, cells.shape[2]).transpose(2, 3))


def middle(distances: Tensor | None) -> tuple[int | None, int]:
    """Address of the number of distance 0, and how many numbers the next head's is behind it."""
    if distances is None:
        return None, 0
    return distances[0, distances.shape[1] // 2 :].data_ptr(), distances.stride(0)
