"""Columns of results: what many items gave, end to end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from stelae.types.lazy import np


class Quantization(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How numbers in a small dtype stand for the real ones: ``x = q * scale + zero``.

    Attributes:
        scale: Of each row, shape ``(rows,)``, fp32.
        zero: Of each row, shape ``(rows,)``, fp32.
        dimensions: Numbers in each row if they are bits, eight to a byte; ``None`` if
            they are bytes.
    """

    scale: np.typing.NDArray[Any]
    zero: np.typing.NDArray[Any]
    dimensions: int | None = None


class SparseVector(NamedTuple):
    """Weights of the terms of one item.

    Attributes:
        indices: Ids of terms, ascending, shape ``(nnz,)``, int32.
        values: Their weights, shape ``(nnz,)``.
    """

    indices: np.typing.NDArray[np.int32]
    values: np.typing.NDArray[np.floating[Any]]


class Sparse(msgspec.Struct, frozen=True, kw_only=True):
    """Weights of terms; those of item ``i`` are ``offsets[i]`` to ``offsets[i + 1]``.

    Its length is the number of items; indexing and iterating give the
    ``SparseVector`` of each, as views.

    Attributes:
        indices: Ids of terms, ascending within an item, shape ``(nnz,)``, int32.
        values: Their weights, shape ``(nnz,)``, fp32 or fp16.
        offsets: Shape ``(N + 1,)``, int64.
    """

    indices: np.typing.NDArray[Any]
    values: np.typing.NDArray[Any]
    offsets: np.typing.NDArray[Any]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> SparseVector:
        place = _place(self.offsets, index)
        return SparseVector(self.indices[place], self.values[place])

    def __iter__(self) -> Iterator[SparseVector]:
        return (self[index] for index in range(len(self)))


class Ragged(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Matrices of unequal height; the rows of item ``i`` are ``offsets[i]`` to ``offsets[i + 1]``.

    Its length is the number of items; indexing and iterating give the matrix of each,
    shape ``(T_i, D)``, as a view.

    Attributes:
        values: All rows, shape ``(rows, D)``.
        offsets: Shape ``(N + 1,)``, int64.
        quantization: How to read ``values`` if they are whole numbers.
    """

    values: np.typing.NDArray[Any]
    offsets: np.typing.NDArray[Any]
    quantization: Quantization | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> np.typing.NDArray[Any]:
        return self.values[_place(self.offsets, index)]

    def __iter__(self) -> Iterator[np.typing.NDArray[Any]]:
        return (self[index] for index in range(len(self)))


def _place(offsets: np.typing.NDArray[Any], index: int) -> slice:
    index = range(len(offsets) - 1)[index]
    return slice(int(offsets[index]), int(offsets[index + 1]))
