"""Columns of results: what many items gave, end to end."""

from __future__ import annotations

from typing import Any

import msgspec

from stelae.types.lazy import np


class Quantization(msgspec.Struct, frozen=True, kw_only=True):
    """How numbers in a small dtype stand for the real ones: ``x = q * scale + zero``.

    Attributes:
        scale: Of each row, shape ``(rows,)``, fp32.
        zero: Of each row, shape ``(rows,)``, fp32.
    """

    scale: np.typing.NDArray[Any]
    zero: np.typing.NDArray[Any]


class Sparse(msgspec.Struct, frozen=True, kw_only=True):
    """Weights of terms; those of item ``i`` are ``offsets[i]`` to ``offsets[i + 1]``.

    Attributes:
        indices: Ids of terms, ascending within an item, shape ``(nnz,)``, int32.
        values: Their weights, shape ``(nnz,)``, fp32 or fp16.
        offsets: Shape ``(N + 1,)``, int64.
    """

    indices: np.typing.NDArray[Any]
    values: np.typing.NDArray[Any]
    offsets: np.typing.NDArray[Any]


class Ragged(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Matrices of unequal height; the rows of item ``i`` are ``offsets[i]`` to ``offsets[i + 1]``.

    Attributes:
        values: All rows, shape ``(rows, D)``.
        offsets: Shape ``(N + 1,)``, int64.
        quantization: How to read ``values`` if they are whole numbers.
    """

    values: np.typing.NDArray[Any]
    offsets: np.typing.NDArray[Any]
    quantization: Quantization | None = None
