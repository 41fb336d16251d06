"""From the rows of an encode call to its result: cut, normalise, cast, put in columns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stelae.catalog.spec import ModelSpec
from stelae.engines.base import Prepared
from stelae.engines.text.features import Matrix, Output
from stelae.errors import EngineFailed, InvalidInput, StelaeError
from stelae.types import (
    EmbeddingDtype,
    EncodeCall,
    EncodeResult,
    Muvera,
    OutputType,
    Quantization,
    Ragged,
    Role,
    Sparse,
    Usage,
)
from stelae.vectors import muvera
from stelae.vectors.pooling import pool
from stelae.vectors.quantize import quantize

WRITTEN_AT_ONCE = 64
"""Texts whose token vectors are written in a smaller number format together."""

SMALLEST = np.float32(1e-12)
"""Length below which a vector is not scaled up (torch ``normalize`` has the same)."""


def assemble(
    call: EncodeCall,
    spec: ModelSpec,
    fingerprint: str,
    prepared: Sequence[Prepared[Any]],
    rows: Sequence[Output | StelaeError],
) -> EncodeResult:
    """Put the representations of a call together.

    Args:
        call: What was asked for; ``check_call`` has accepted it.
        spec: The model.
        fingerprint: What is served.
        prepared: One per item, in order.
        rows: One per item, in order: what was wanted of it, or its error.

    Returns:
        One entry per item in every column; a failed item's vector is NaN (or zero,
        in dtypes without NaN), its terms and token vectors are none, and its error
        is told by index. An item of which a number is not finite, or does not fit
        the dtype asked for, fails.
    """
    errors = {i: e for i, e in enumerate(map(error_of, prepared, rows)) if e is not None}
    good = {i: row for i, row in enumerate(rows) if i not in errors and isinstance(row, Output)}
    columns, failed = _columns(call, spec, good, len(rows))
    errors |= failed
    ran = np.array([i not in errors for i in range(len(rows))], np.bool_)
    tokens = np.where(ran, np.array([p.tokens for p in prepared], np.int32), 0).astype(np.int32)
    return EncodeResult(
        model=spec.name,
        fingerprint=fingerprint,
        **columns,
        tokens=tokens,
        truncated=np.array([p.truncated for p in prepared], np.bool_),
        errors={i: error.info for i, error in sorted(errors.items())},
        usage=Usage(tokens=int(tokens.sum())),
    )


def error_of(prepared: Prepared[Any], row: Output | StelaeError) -> StelaeError | None:
    """Why an entry has no row, if it has none."""
    return prepared.error or (row if isinstance(row, StelaeError) else None)


Good = dict[int, Output]
Failed = dict[int, StelaeError]
Columns = tuple[dict[str, Any], Failed]


def _columns(call: EncodeCall, spec: ModelSpec, good: Good, size: int) -> Columns:
    """Every column asked for; an item that fails in one of them is in none."""
    columns: dict[str, Any] = {}
    failed: Failed = {}
    for output in call.kinds:
        made, lost = _column(output, call)(call, spec, good, size)
        columns |= made
        failed |= lost
    if not failed:
        return columns, failed
    left = {i: row for i, row in good.items() if i not in failed}
    columns, _ = _columns(call, spec, left, size)
    return columns, failed


def _column(output: OutputType, call: EncodeCall) -> Callable[..., Columns]:
    if output is OutputType.DENSE and call.muvera is not None:
        return _muvera
    return COLUMNS[output]


def _dense(call: EncodeCall, spec: ModelSpec, good: Good, size: int) -> Columns:
    width = call.dimensions or spec.dimensions
    matrix = np.full((size, width), np.nan, np.float32)
    if good:
        stacked = np.stack([_wanted(row.dense)[:width] for row in good.values()])
        matrix[list(good)] = scaled(stacked) if _unit(spec, call) else stacked
    return _packed(matrix, good, call)


def _muvera(call: EncodeCall, spec: ModelSpec, good: Good, size: int) -> Columns:
    """Dense vectors made of token vectors; of a text without any, zeros."""
    parameters = call.muvera or Muvera()
    matrix = np.full((size, muvera.width(parameters, spec.token_dimensions)), np.nan, np.float32)
    role = call.role or Role.DOCUMENT
    failed = _faults(((i, _wanted(row.vectors)) for i, row in good.items()), EmbeddingDtype.FLOAT32)
    for i, row in good.items():
        if i not in failed:
            vectors = _wanted(row.vectors)
            matrix[i] = muvera.encode([vectors], role, parameters)[0] if len(vectors) else 0.0
    columns, lost = _packed(matrix, [i for i in good if i not in failed], call)
    return columns, failed | lost


def _packed(matrix: NDArray[np.float32], good: Collection[int], call: EncodeCall) -> Columns:
    finite = np.isfinite(_cast(matrix, call.format)).all(axis=1)
    failed = _faults(((i, matrix[i]) for i in good if not finite[i]), call.format)
    values, quantization = quantize(matrix, call.format)
    return {"dense": values, "quantization": quantization}, failed


def _sparse(call: EncodeCall, spec: ModelSpec, good: Good, size: int) -> Columns:
    del spec
    nothing = (np.empty(0, np.int32), np.empty(0, np.float32))
    terms = [_wanted(good[i].terms) if i in good else nothing for i in range(size)]
    weights = np.concatenate([nothing[1], *(weights for _, weights in terms)])
    column = Sparse(
        indices=np.concatenate([nothing[0], *(ids for ids, _ in terms)]),
        values=_cast(weights, call.format),
        offsets=offsets_of([len(ids) for ids, _ in terms]),
    )
    return {"sparse": column}, _faults(((i, terms[i][1]) for i in good), call.format)


def _multivector(call: EncodeCall, spec: ModelSpec, good: Good, size: int) -> Columns:
    nothing = np.empty((0, spec.token_dimensions), np.float32)
    given = [_wanted(good[i].vectors) if i in good else nothing for i in range(size)]
    failed = _faults(((i, given[i]) for i in good), call.format)
    matrices = [
        nothing if i in failed else _pooled(call, vectors) for i, vectors in enumerate(given)
    ]
    values, quantization = _written(nothing, matrices, call.format)
    offsets = offsets_of([len(matrix) for matrix in matrices])
    column = Ragged(values=values, offsets=offsets, quantization=quantization)
    return {"multivector": column}, failed


def _written(
    nothing: Matrix, matrices: Sequence[Matrix], dtype: EmbeddingDtype
) -> tuple[Matrix, Quantization | None]:
    """Token vectors end to end in a number format: a smaller one a few texts at a time.

    Rows are written each by itself, so that it makes no difference but to the memory: the
    float32 numbers of all texts would stand there once more.
    """
    step = max(1, len(matrices)) if dtype is EmbeddingDtype.FLOAT32 else WRITTEN_AT_ONCE
    parts = [
        quantize(
            np.concatenate([nothing, *matrices[start : start + step]]),
            dtype,
            output=OutputType.MULTIVECTOR,
        )
        for start in range(0, max(1, len(matrices)), step)
    ]
    if len(parts) == 1:
        return parts[0]
    values = np.concatenate([codes for codes, _ in parts])
    readings = [reading for _, reading in parts if reading is not None]
    if not readings:
        return values, None
    return values, Quantization(
        scale=np.concatenate([reading.scale for reading in readings]),
        zero=np.concatenate([reading.zero for reading in readings]),
        dimensions=readings[0].dimensions,
    )


def _pooled(call: EncodeCall, vectors: Matrix) -> Matrix:
    """Token vectors of a document, joined if that was asked for; queries keep all."""
    factor = call.pool_factor or 1
    return vectors if factor == 1 or call.role is Role.QUERY else pool(vectors, factor)


COLUMNS = {
    OutputType.DENSE: _dense,
    OutputType.SPARSE: _sparse,
    OutputType.MULTIVECTOR: _multivector,
}


def _wanted(part: Any) -> Any:
    if part is None:
        raise TypeError("the engine did not make what was asked for")
    return part


def _unit(spec: ModelSpec, call: EncodeCall) -> bool:
    return spec.normalized if call.normalize is None else call.normalize


def scaled(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of unit length; a zero row stays zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float32] = vectors / np.maximum(lengths, SMALLEST)
    return unit


def offsets_of(counts: Sequence[int]) -> NDArray[np.int64]:
    """Where each item's share of a column begins, and the end."""
    return np.concatenate(([0], np.cumsum(counts, dtype=np.int64))).astype(np.int64)


def _cast(numbers: NDArray[np.float32], dtype: EmbeddingDtype) -> NDArray[Any]:
    """In halves if they are asked for; what does not fit becomes infinite."""
    with np.errstate(over="ignore", invalid="ignore"):
        return numbers.astype(np.float16) if dtype is EmbeddingDtype.FLOAT16 else numbers


def _faults(numbers: Iterable[tuple[int, NDArray[np.float32]]], dtype: EmbeddingDtype) -> Failed:
    """Items of which a number is not finite, or not in the dtype asked for."""
    return {
        i: _too_large(row, dtype) for i, row in numbers if not np.isfinite(_cast(row, dtype)).all()
    }


def _too_large(row: NDArray[np.float32], dtype: EmbeddingDtype) -> StelaeError:
    if not np.isfinite(row).all():
        return EngineFailed("the model gave a vector with numbers that are not finite")
    return InvalidInput(
        f"dtype={dtype.value!r} ends at 65504 and the output has larger numbers; choose float32",
        param="dtype",
    )
