"""The representations of some items: every kind a column, cut, joined and read back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from stelae.errors import InvalidInput
from stelae.types import EncodeResult, Quantization, Ragged, Sparse
from stelae.types.lazy import np
from stelae.vectors.quantize import dequantize

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    Vector = NDArray[Any]
    """Numbers of one item, shape ``(D,)``; or of several, shape ``(N, D)``."""
else:
    Vector = Any  # a name for annotations, which must not load NumPy

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """What a model made of ``N`` items.

    Attributes:
        dense: One vector per item, shape ``(N, D)``.
        sparse: Weights of terms of each item.
        multivector: Token vectors of each item.
        quantization: How to read ``dense`` if it is in whole numbers.
    """

    dense: Vector | None = None
    sparse: Sparse | None = None
    multivector: Ragged | None = None
    quantization: Quantization | None = None

    def row(self, index: int) -> Columns:
        """The columns of one item, as views."""
        rows = slice(index, index + 1)
        return Columns(
            dense=None if self.dense is None else self.dense[rows],
            sparse=None if self.sparse is None else _sparse_row(self.sparse, index),
            multivector=None if self.multivector is None else _ragged_row(self.multivector, index),
            quantization=_reading(self.quantization, rows),
        )

    def map(self, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Columns:
        """The same columns with every array changed."""
        sparse, many, reading = self.sparse, self.multivector, self.quantization
        return Columns(
            dense=None if self.dense is None else change(self.dense),
            sparse=None
            if sparse is None
            else Sparse(
                indices=change(sparse.indices),
                values=change(sparse.values),
                offsets=change(sparse.offsets),
            ),
            multivector=None
            if many is None
            else Ragged(
                values=change(many.values),
                offsets=change(many.offsets),
                quantization=_changed(many.quantization, change),
            ),
            quantization=_changed(reading, change),
        )

    def dequantized(self) -> Columns:
        """The same numbers as float32."""
        sparse, many = self.sparse, self.multivector
        return Columns(
            dense=None if self.dense is None else dequantize(self.dense, self.quantization),
            sparse=None
            if sparse is None
            else Sparse(
                indices=sparse.indices,
                values=sparse.values.astype(np.float32),
                offsets=sparse.offsets,
            ),
            multivector=None
            if many is None
            else Ragged(values=dequantize(many.values, many.quantization), offsets=many.offsets),
        )

    @property
    def facts(self) -> list[str]:
        """What is there, for people."""
        dense, sparse, many = self.dense, self.sparse, self.multivector
        found = []
        if dense is not None:
            found.append(f"{dense.shape[1]} {dense.dtype}")
        if sparse is not None:
            found.append(f"{len(sparse.values)} terms")
        if many is not None:
            rows, width = many.values.shape
            found.append(f"{rows} token vectors of {width} {many.values.dtype}")
        return found


def columns_of(result: EncodeResult) -> Columns:
    """The columns of an answer."""
    return Columns(result.dense, result.sparse, result.multivector, result.quantization)


def asked(column: T | None, name: str) -> T:
    """A column that must be there.

    Raises:
        InvalidInput: It was not asked for.
    """
    if column is None:
        raise InvalidInput(
            f"there are no {name} representations here: they were not asked for",
            param="outputs",
            hint=f"encode with outputs={name!r}, or a tuple with {name!r} in it",
        )
    return column


def as_array(values: NDArray[Any], dtype: DTypeLike | None, copy: bool | None) -> NDArray[Any]:
    """An array as NumPy asks for it in ``__array__``."""
    if copy is False and dtype is not None and np.dtype(dtype) != values.dtype:
        raise ValueError(f"a {values.dtype} array cannot become {np.dtype(dtype)} without a copy")
    return np.array(values, dtype=dtype) if copy else np.asarray(values, dtype=dtype)


def joined(parts: Sequence[Columns]) -> Columns:
    """The columns of several answers, one after the other; all have the same kinds."""
    first = parts[0]
    if len(parts) == 1:
        return first
    sparse = [p.sparse for p in parts if p.sparse is not None]
    many = [p.multivector for p in parts if p.multivector is not None]
    return Columns(
        dense=_joined([p.dense for p in parts if p.dense is not None]),
        sparse=_joined_sparse(sparse) if sparse else None,
        multivector=_joined_ragged(many) if many else None,
        quantization=_joined_readings([p.quantization for p in parts]),
    )


def _sparse_row(sparse: Sparse, index: int) -> Sparse:
    indices, values = sparse[index]
    return Sparse(indices=indices, values=values, offsets=np.array([0, len(values)]))


def _ragged_row(ragged: Ragged, index: int) -> Ragged:
    start, stop = ragged.offsets[index : index + 2].tolist()
    return Ragged(
        values=ragged.values[start:stop],
        offsets=np.array([0, stop - start]),
        quantization=_reading(ragged.quantization, slice(start, stop)),
    )


def _reading(quantization: Quantization | None, rows: slice) -> Quantization | None:
    return _changed(quantization, lambda values: values[rows])


def _changed(
    quantization: Quantization | None, change: Callable[[NDArray[Any]], NDArray[Any]]
) -> Quantization | None:
    if quantization is None:
        return None
    return Quantization(
        scale=change(quantization.scale),
        zero=change(quantization.zero),
        dimensions=quantization.dimensions,
    )


def _joined(arrays: list[NDArray[Any]]) -> NDArray[Any] | None:
    return np.concatenate(arrays) if arrays else None


def _joined_offsets(parts: Sequence[Sparse | Ragged]) -> NDArray[np.int64]:
    lengths = np.concatenate([np.diff(part.offsets) for part in parts])
    return np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))


def _joined_sparse(parts: list[Sparse]) -> Sparse:
    return Sparse(
        indices=np.concatenate([part.indices for part in parts]),
        values=np.concatenate([part.values for part in parts]),
        offsets=_joined_offsets(parts),
    )


def _joined_ragged(parts: list[Ragged]) -> Ragged:
    return Ragged(
        values=np.concatenate([part.values for part in parts]),
        offsets=_joined_offsets(parts),
        quantization=_joined_readings([part.quantization for part in parts]),
    )


def _joined_readings(parts: Sequence[Quantization | None]) -> Quantization | None:
    known = [part for part in parts if part is not None]
    if not known:
        return None
    return Quantization(
        scale=np.concatenate([part.scale for part in known]),
        zero=np.concatenate([part.zero for part in known]),
        dimensions=known[0].dimensions,
    )
