"""Matrix products that stay in the thread that asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stelae.types.lazy import np

if TYPE_CHECKING:
    from stelae.vectors.ragged import Floats

SMALL = 1 << 18
"""Multiply-adds up to which OpenBLAS starts no threads."""


def products(left: Floats, right: Floats, room: Floats) -> Floats:
    """Dot product of every row of ``left`` with every row of ``right``.

    Multiplied in pieces so small that BLAS does not start threads of its own: beside
    ours, or those of another process, they would only wait for each other.

    Args:
        left: Shape ``(R, D)``.
        right: Shape ``(T, D)``.
        room: Where the result is written, at least ``R * T`` numbers.

    Returns:
        Shape ``(R, T)``, a view of ``room``.
    """
    (rows, width), count = left.shape, len(right)
    out = room[: rows * count].reshape(rows, count)
    piece = 1 << max(1, SMALL // max(1, rows * width)).bit_length() >> 1
    whole = count // piece * piece
    if whole:
        pieces = right[:whole].reshape(-1, piece, width).transpose(0, 2, 1)
        np.matmul(left, pieces, out=out[:, :whole].reshape(rows, -1, piece).transpose(1, 0, 2))
    if whole < count:
        np.matmul(left, right[whole:].T, out=out[:, whole:])
    return out
