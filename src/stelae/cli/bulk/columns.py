"""Columns of a Parquet output, by the kind of representation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stelae.cli.bulk.rows import Row, Shape

Pick = Callable[[Row], Any]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the output.

    Attributes:
        field: Its name and type.
        make: Its values of some rows, as an Arrow array.
    """

    field: Any
    make: Callable[[Sequence[Row]], Any]


def columns(shape: Shape, *, with_ids: bool) -> list[Column]:
    """All columns of an output, in order."""
    ids = [_plain("id", pa.string(), _id)] if with_ids else []
    return [
        _plain("index", pa.int64(), lambda row: row.index, nullable=False),
        *ids,
        *KINDS[shape.kind](shape),
        _plain("tokens", pa.int32(), lambda row: row.tokens, nullable=False),
        _plain("truncated", pa.bool_(), lambda row: row.truncated, nullable=False),
        _plain("error", pa.string(), lambda row: row.error and row.error.message),
    ]


def _plain(name: str, kind: Any, pick: Pick, *, nullable: bool = True) -> Column:
    field = pa.field(name, kind, nullable=nullable)
    return Column(field, lambda rows: pa.array([pick(row) for row in rows], kind))


def _id(row: Row) -> str | None:
    return None if row.id is None else str(row.id)


def _dense(shape: Shape) -> list[Column]:
    vector = Column(pa.field("embedding", _vector(shape)), partial(_vectors, shape))
    scales = [_plain(name, pa.float32(), partial(_scale, name)) for name in shape.scales]
    return [vector, *scales]


def _multivector(shape: Shape) -> list[Column]:
    vectors = Column(pa.field("embedding", pa.list_(_vector(shape))), partial(_matrices, shape))
    scales = [_list(name, "float32", partial(_scales, name)) for name in shape.scales]
    return [vectors, *scales]


def _sparse(shape: Shape) -> list[Column]:
    return [
        _list("indices", "int32", partial(_terms, "indices")),
        _list("values", shape.dtype, partial(_terms, "values")),
    ]


KINDS = {"dense": _dense, "sparse": _sparse, "multivector": _multivector}


def _scale(name: str, row: Row) -> float | None:
    return None if row.reading is None else float(getattr(row.reading, name)[0])


def _scales(name: str, row: Row) -> NDArray[Any] | None:
    return None if row.reading is None else getattr(row.reading, name)


def _terms(name: str, row: Row) -> NDArray[Any] | None:
    return row.embedding[name] if isinstance(row.embedding, dict) else None


def _vector(shape: Shape) -> Any:
    return pa.list_(pa.from_numpy_dtype(np.dtype(shape.dtype)), shape.width)


def _vectors(shape: Shape, rows: Sequence[Row]) -> Any:
    values = np.zeros((len(rows), shape.width), dtype=shape.dtype)
    for number, row in enumerate(rows):
        if row.embedding is not None:
            values[number] = row.embedding
    return pa.FixedSizeListArray.from_arrays(
        pa.array(values.reshape(-1)), shape.width, mask=_lacking([row.embedding for row in rows])
    )


def _matrices(shape: Shape, rows: Sequence[Row]) -> Any:
    parts = [row.embedding for row in rows]
    nothing = np.empty((0, shape.width), shape.dtype)
    values = np.concatenate([nothing, *(part for part in parts if part is not None)])
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), shape.width)
    return pa.ListArray.from_arrays(_offsets(parts), vectors, mask=_lacking(parts))


def _list(name: str, dtype: str, pick: Pick) -> Column:
    def make(rows: Sequence[Row]) -> Any:
        parts = [pick(row) for row in rows]
        nothing = np.empty(0, dtype)
        values = np.concatenate([nothing, *(part for part in parts if part is not None)])
        return pa.ListArray.from_arrays(_offsets(parts), pa.array(values), mask=_lacking(parts))

    return Column(pa.field(name, pa.list_(pa.from_numpy_dtype(np.dtype(dtype)))), make)


def _offsets(parts: Sequence[Any]) -> Any:
    counts = [0 if part is None else len(part) for part in parts]
    return pa.array(np.concatenate(([0], np.cumsum(counts))).astype(np.int32))


def _lacking(parts: Sequence[Any]) -> Any:
    return pa.array([part is None for part in parts], pa.bool_())
