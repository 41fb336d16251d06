"""From the rows of an encode call to its result: cut, normalise, cast, put in columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stelae.catalog.spec import ModelSpec
from stelae.engines.base import Prepared
from stelae.engines.text.features import Matrix, Output, Row
from stelae.errors import EngineFailed, InvalidInput, StelaeError
from stelae.types import (
    EncodeCall,
    EncodeResult,
    Muvera,
    OutputType,
    Ragged,
    Role,
    Sparse,
    Usage,
)
from stelae.vectors import muvera
from stelae.vectors.pooling import pool
from stelae.vectors.quantize import quantize

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
    columns: dict[str, Any] = {}
    for output in call.outputs:
        column = COLUMNS[output]
        if output is OutputType.DENSE and call.muvera is not None:
            column = _muvera
        made, failed = column(call, spec, good, len(rows))
        columns |= made
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


def _dense(call: EncodeCall, spec: ModelSpec, good: Good, size: int) -> Columns:
    width = call.dimensions or spec.dimensions
    matrix = np.full((size, width), np.nan, np.float32)
    if good:
        stacked = np.stack([_wanted(row.dense)[:width] for row in good.values()])
        matrix[list(good)] = scaled(stacked) if _unit(spec, call) else stacked
    failed = _lost(matrix, good, call)
    if failed:
        matrix[list(failed)] = np.nan
    values, quantization = quantize(matrix, call.dtype)
    return {"dense": values, "quantization": quantization}, failed


def _muvera(call: EncodeCall, spec: ModelSpec, good: Good, size: int) -> Columns:
    """Dense vectors made of token vectors; of a text without any, zeros."""
    parameters = call.muvera or Muvera()
    matrix = np.full((size, muvera.width(parameters, spec.token_dimensions)), np.nan, np.float32)
    failed = _broken(good)
    for i, row in good.items():
        vectors = _wanted(row.vectors)
        if i not in failed:
            role = call.role or Role.DOCUMENT
            made = muvera.encode([vectors], role, parameters)[0] if len(vectors) else 0.0
            matrix[i] = made
    values, quantization = quantize(matrix, call.dtype)
    return {"dense": values, "quantization": quantization}, failed


def _sparse(call: EncodeCall, spec: ModelSpec, good: Good, size: int) -> Columns:
    del spec
    nothing = (np.empty(0, np.int32), np.empty(0, np.float32))
    failed = {
        i: _not_finite() for i, row in good.items() if not np.isfinite(_wanted(row.terms)[1]).all()
    }
    terms = [
        nothing if i not in good or i in failed else _wanted(good[i].terms) for i in range(size)
    ]
    half = call.dtype.value == "float16"
    values = np.concatenate([nothing[1], *(weights for _, weights in terms)])
    return {
        "sparse": Sparse(
            indices=np.concatenate([nothing[0], *(ids for ids, _ in terms)]),
            values=values.astype(np.float16) if half else values,
            offsets=offsets_of([len(ids) for ids, _ in terms]),
        )
    }, failed


def _multivector(call: EncodeCall, spec: ModelSpec, good: Good, size: int) -> Columns:
    failed = _broken(good)
    nothing = np.empty((0, spec.token_dimensions), np.float32)
    matrices = [
        nothing if i not in good or i in failed else _pooled(call, _wanted(good[i].vectors))
        for i in range(size)
    ]
    values, quantization = quantize(
        np.concatenate([nothing, *matrices]), call.dtype, output=OutputType.MULTIVECTOR
    )
    offsets = offsets_of([len(matrix) for matrix in matrices])
    return {
        "multivector": Ragged(values=values, offsets=offsets, quantization=quantization)
    }, failed


def _broken(good: Good) -> Failed:
    """Items of which a token vector is not finite."""
    rows = ((i, _wanted(row.vectors)) for i, row in good.items())
    return {i: _not_finite() for i, vectors in rows if not np.isfinite(vectors).all()}


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


def _lost(matrix: NDArray[np.float32], good: Good, call: EncodeCall) -> Failed:
    """Items of which a number is not finite, or not in the dtype asked for."""
    with np.errstate(over="ignore"):
        cast = matrix.astype(np.float16) if call.dtype.value == "float16" else matrix
    bad = set(np.flatnonzero(~np.isfinite(cast).all(axis=1)).tolist())
    return {i: _too_large(matrix[i], call) for i in good if i in bad}


def _too_large(row: Row, call: EncodeCall) -> StelaeError:
    if not np.isfinite(row).all():
        return _not_finite()
    return InvalidInput(
        f"dtype={call.dtype.value!r}: the vector has numbers over 65504; choose float32 or "
        "normalize=True",
        param="dtype",
    )


def _not_finite() -> StelaeError:
    return EngineFailed("the model gave a vector with numbers that are not finite")
