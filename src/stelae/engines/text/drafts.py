"""Representations on their way into columns: gathered as float32, judged, then written.

A number format is written a few rows at a time, and rows are let go of as soon as they are
copied. Each row is written by itself, so neither changes a number.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stelae.catalog.spec import ModelSpec
from stelae.engines.text.features import Matrix, Output
from stelae.errors import EngineFailed, InvalidInput, StelaeError
from stelae.types import (
    EmbeddingDtype,
    EncodeCall,
    Muvera,
    OutputType,
    Quantization,
    Ragged,
    Role,
    Sparse,
)
from stelae.vectors import muvera
from stelae.vectors.pooling import pool
from stelae.vectors.quantize import quantize

ROWS_AT_ONCE = 256
"""Dense vectors that are scaled, judged and written together."""

TEXTS_AT_ONCE = 64
"""Texts whose token vectors are written together."""

SMALLEST = np.float32(1e-12)
"""Length below which a vector is not scaled up (torch ``normalize`` has the same)."""

Good = Mapping[int, Output]
"""What the model made, by the index of the item."""

Failed = dict[int, StelaeError]


class Draft(Protocol):
    """One kind of representation of all items.

    Attributes:
        failed: Items whose numbers are not finite, or do not fit the format.
    """

    failed: Failed

    def written(self, lost: Collection[int]) -> dict[str, Any]:
        """The columns, for once; items that are lost have nothing in them."""
        ...


def drafted(kind: OutputType, call: EncodeCall, spec: ModelSpec, good: Good, size: int) -> Draft:
    """Gather one kind of representation.

    Args:
        kind: Which.
        call: What was asked for.
        spec: The model.
        good: What was made; dense vectors are taken out of it.
        size: Number of items.
    """
    match kind:
        case OutputType.SPARSE:
            return Terms(call, good, size)
        case OutputType.MULTIVECTOR:
            return Tokens(call, spec, good, size)
        case _ if call.muvera is not None:
            return _muvera(call, spec, good, size)
        case _:
            return _dense(call, spec, good, size)


class Vectors:
    """One vector per item.

    Args:
        call: What was asked for.
        matrix: The vectors.
        good: Items that have one.
        sound: Whether all numbers are known to be finite in the format.
    """

    def __init__(
        self, call: EncodeCall, matrix: Matrix, good: Collection[int], *, sound: bool = False
    ) -> None:
        self._matrix, self._format = matrix, call.format
        self.failed: Failed = {}
        parts = () if sound else _parts(len(matrix))
        if not all(_finite(matrix[part], call.format) for part in parts):
            self.failed = _faults(((i, matrix[i]) for i in good), call.format)

    def written(self, lost: Collection[int]) -> dict[str, Any]:
        """The matrix in its format, and how to read it."""
        if lost:
            self._matrix[list(lost)] = np.nan
        if self._format is EmbeddingDtype.FLOAT32:
            return {"dense": self._matrix, "quantization": None}
        blocks = (self._matrix[part] for part in _parts(len(self._matrix)))
        values, reading = _in_format(blocks, self._matrix.shape, self._format, OutputType.DENSE)
        return {"dense": values, "quantization": reading}


def _dense(call: EncodeCall, spec: ModelSpec, good: Good, size: int) -> Vectors:
    width = call.dimensions or spec.dimensions
    unit = spec.normalized if call.normalize is None else call.normalize
    matrix = np.empty((size, width), np.float32)  # takes memory as it is filled
    for i in range(size):
        row = good.get(i)
        matrix[i] = np.nan if row is None else _wanted(row.dense)[:width]
        if row is not None:
            row.dense = None
    scaled = [scale(matrix[part]) for part in _parts(size)] if unit else [False]
    return Vectors(call, matrix, good, sound=all(scaled))  # such numbers fit every format


def _muvera(call: EncodeCall, spec: ModelSpec, good: Good, size: int) -> Vectors:
    """Dense vectors made of token vectors; of a text without any, zeros."""
    parameters = call.muvera or Muvera()
    matrix = np.full((size, muvera.width(parameters, spec.token_dimensions)), np.nan, np.float32)
    role = call.role or Role.DOCUMENT
    failed = _faults(((i, _wanted(row.vectors)) for i, row in good.items()), EmbeddingDtype.FLOAT32)
    made = [i for i in good if i not in failed]
    for i in made:
        vectors = _wanted(good[i].vectors)
        matrix[i] = muvera.encode([vectors], role, parameters)[0] if len(vectors) else 0.0
    draft = Vectors(call, matrix, made)
    draft.failed |= failed
    return draft


class Terms:
    """Weights of terms of each item."""

    def __init__(self, call: EncodeCall, good: Good, size: int) -> None:
        self._format = call.format
        self._nothing = (np.empty(0, np.int32), np.empty(0, np.float32))
        self._terms = [_wanted(good[i].terms) if i in good else self._nothing for i in range(size)]
        self.failed = _faults(((i, self._terms[i][1]) for i in good), call.format)

    def written(self, lost: Collection[int]) -> dict[str, Any]:
        """All terms end to end."""
        nothing = self._nothing
        terms = [nothing if i in lost else made for i, made in enumerate(self._terms)]
        weights = np.concatenate([nothing[1], *(weights for _, weights in terms)])
        column = Sparse(
            indices=np.concatenate([nothing[0], *(ids for ids, _ in terms)]),
            values=_cast(weights, self._format),
            offsets=offsets_of([len(ids) for ids, _ in terms]),
        )
        return {"sparse": column}


class Tokens:
    """Token vectors of each item."""

    def __init__(self, call: EncodeCall, spec: ModelSpec, good: Good, size: int) -> None:
        self._call = call
        self._nothing = np.empty((0, spec.token_dimensions), np.float32)
        self._given = [
            _wanted(good[i].vectors) if i in good else self._nothing for i in range(size)
        ]
        self.failed = _faults(((i, self._given[i]) for i in good), call.format)

    def written(self, lost: Collection[int]) -> dict[str, Any]:
        """All token vectors end to end, in their format."""
        given = self._given
        for i in range(len(given)):
            given[i] = self._nothing if i in lost else self._pooled(given[i])
        offsets = offsets_of([len(vectors) for vectors in given])
        shape = (int(offsets[-1]), self._nothing.shape[1])
        kind = OutputType.MULTIVECTOR
        values, reading = _in_format(self._released(), shape, self._call.format, kind)
        return {"multivector": Ragged(values=values, offsets=offsets, quantization=reading)}

    def _pooled(self, vectors: Matrix) -> Matrix:
        """Token vectors of a document, joined if that was asked for; queries keep all."""
        factor = self._call.pool_factor or 1
        return vectors if factor == 1 or self._call.role is Role.QUERY else pool(vectors, factor)

    def _released(self) -> Iterator[Matrix]:
        given = self._given
        for part in _parts(len(given), TEXTS_AT_ONCE):
            block = np.concatenate([self._nothing, *given[part]])
            given[part] = [self._nothing] * len(given[part])
            yield block


def _in_format(
    blocks: Iterable[Matrix], shape: tuple[int, ...], dtype: EmbeddingDtype, kind: OutputType
) -> tuple[NDArray[Any], Quantization | None]:
    """Blocks of rows, shape ``shape`` in all, in a number format; and how to read it."""
    codes, reading = quantize(np.empty((0, shape[1]), np.float32), dtype, output=kind)
    values = np.empty((shape[0], codes.shape[1]), codes.dtype)
    scale, zero = (np.empty(shape[0] if reading else 0, np.float32) for _ in range(2))
    end = 0
    for block in blocks:
        start, end = end, end + len(block)
        values[start:end], read = quantize(block, dtype, output=kind)
        if read is not None:
            scale[start:end], zero[start:end] = read.scale, read.zero
    if reading is None:
        return values, None
    return values, Quantization(scale=scale, zero=zero, dimensions=reading.dimensions)


def _parts(size: int, step: int = ROWS_AT_ONCE) -> Iterator[slice]:
    return (slice(start, min(size, start + step)) for start in range(0, size, step))


def _wanted(part: Any) -> Any:
    if part is None:
        raise TypeError("the engine did not make what was asked for")
    return part


def scale(vectors: NDArray[np.float32]) -> bool:
    """Give rows unit length, in place; a zero row stays zero.

    Returns:
        Whether all numbers are sure to be finite, as their lengths were.
    """
    lengths = np.sqrt(np.add.reduce(vectors * vectors, axis=1, keepdims=True))
    np.divide(vectors, np.maximum(lengths, SMALLEST), out=vectors)
    return all(map(isfinite, lengths.flat))


def offsets_of(counts: Sequence[int]) -> NDArray[np.int64]:
    """Where each item's share of a column begins, and the end."""
    return np.concatenate(([0], np.cumsum(counts, dtype=np.int64))).astype(np.int64)


def _finite(numbers: NDArray[np.float32], dtype: EmbeddingDtype) -> bool:
    """Whether all are, in the format."""
    return bool(np.isfinite(_cast(numbers, dtype)).all())


def _cast(numbers: NDArray[np.float32], dtype: EmbeddingDtype) -> NDArray[Any]:
    """In halves if they are asked for; what does not fit becomes infinite."""
    if dtype is not EmbeddingDtype.FLOAT16:
        return numbers
    with np.errstate(over="ignore", invalid="ignore"):
        return numbers.astype(np.float16)


def _faults(numbers: Iterable[tuple[int, NDArray[np.float32]]], dtype: EmbeddingDtype) -> Failed:
    """Items of which a number is not finite, or not in the dtype asked for."""
    return {i: _too_large(row, dtype) for i, row in numbers if not _finite(row, dtype)}


def _too_large(row: NDArray[np.float32], dtype: EmbeddingDtype) -> StelaeError:
    if not np.isfinite(row).all():
        return EngineFailed("the model gave a vector with numbers that are not finite")
    return InvalidInput(
        f"dtype={dtype.value!r} ends at 65504 and the output has larger numbers; choose float32",
        param="dtype",
    )
