"""Parquet through pyarrow: a column of texts in, vectors out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stelae.cli.bulk.rows import Row, Shape
from stelae.errors import InvalidInput

SLICE = 1024
"""Rows read at a time."""


class TextColumn:
    """The texts of a Parquet file with their ids, ``(text, id)`` one after the other.

    Attributes:
        rows: Rows of the file.
        with_ids: Whether the file has the id column.
    """

    def __init__(self, path: str, field: str, id_field: str) -> None:
        try:
            self._file = pq.ParquetFile(path)
        except pa.ArrowInvalid as error:
            raise InvalidInput(f"input {path!r} is not Parquet: {error}", param="FILE") from error
        names = self._file.schema_arrow.names
        if field not in names:
            raise InvalidInput(
                f"--field {field}: {path!r} has no such column",
                param="field",
                hint=f"it has {', '.join(names)}; name the one with the text by --field",
            )
        self._check_type(field, self._file.schema_arrow.field(field).type)
        self._field, self._id_field = field, id_field
        self.with_ids = id_field in names and id_field != field
        self.rows: int = self._file.metadata.num_rows

    @staticmethod
    def _check_type(field: str, kind: Any) -> None:
        values = kind.value_type if pa.types.is_dictionary(kind) else kind
        if not (
            pa.types.is_string(values)
            or pa.types.is_large_string(values)
            or pa.types.is_string_view(values)
        ):
            raise InvalidInput(
                f"--field {field}: the column holds {kind}, not strings", param="field"
            )

    def __iter__(self) -> Iterator[tuple[str | None, object]]:
        """Read the rows, a slice at a time."""
        columns = [self._field, self._id_field] if self.with_ids else [self._field]
        for batch in self._file.iter_batches(batch_size=SLICE, columns=columns):
            texts = batch.column(self._field).to_pylist()
            ids = batch.column(self._id_field).to_pylist() if self.with_ids else [None] * len(texts)
            yield from zip(texts, ids, strict=True)


def schema(shape: Shape, *, with_ids: bool) -> Any:
    """Columns of the output; model and fingerprint stand in the file's metadata."""
    number = pa.float16() if shape.dtype == "float16" else pa.float32()
    fields = [
        pa.field("index", pa.int64(), nullable=False),
        *([pa.field("id", pa.string())] if with_ids else []),
        pa.field("embedding", pa.list_(number, shape.width)),
        pa.field("tokens", pa.int32(), nullable=False),
        pa.field("truncated", pa.bool_(), nullable=False),
        pa.field("error", pa.string()),
    ]
    facts = {"stelae.model": shape.model, "stelae.fingerprint": shape.fingerprint}
    return pa.schema(fields, metadata=facts)


def write_part(path: Path, rows: Sequence[Row], shape: Shape, *, with_ids: bool) -> None:
    """Write rows as one Arrow file, whole or not at all."""
    kind = schema(shape, with_ids=with_ids)
    table = pa.table([_column(field.name, rows, shape) for field in kind], schema=kind)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, kind) as writer:
        writer.write_table(table)


def _column(name: str, rows: Sequence[Row], shape: Shape) -> Any:
    match name:
        case "embedding":
            return _vectors(rows, shape)
        case "id":
            return pa.array([None if row.id is None else str(row.id) for row in rows], pa.string())
        case "error":
            return pa.array([row.error and row.error.message for row in rows], pa.string())
        case "index":
            return pa.array([row.index for row in rows], pa.int64())
        case "tokens":
            return pa.array([row.tokens for row in rows], pa.int32())
        case _:
            return pa.array([row.truncated for row in rows], pa.bool_())


def _vectors(rows: Sequence[Row], shape: Shape) -> Any:
    values = np.zeros((len(rows), shape.width), dtype=shape.dtype)
    lacking = np.array([row.embedding is None for row in rows], dtype=np.bool_)
    for number, row in enumerate(rows):
        if row.embedding is not None:
            values[number] = row.embedding
    return pa.FixedSizeListArray.from_arrays(
        pa.array(values.reshape(-1)), shape.width, mask=pa.array(lacking)
    )


def join_parts(
    parts: Sequence[Path], path: Path, shape: Shape, *, with_ids: bool, group: int
) -> None:
    """Write the rows of all parts into one Parquet file, in row groups of ``group``."""
    kind = schema(shape, with_ids=with_ids)
    waiting = kind.empty_table()
    with pq.ParquetWriter(path, kind, compression="zstd", use_dictionary=False) as writer:
        for part in parts:
            with pa.OSFile(str(part), "rb") as file:
                waiting = pa.concat_tables([waiting, pa.ipc.open_file(file).read_all()])
            while waiting.num_rows >= group:
                writer.write_table(waiting.slice(0, group), row_group_size=group)
                waiting = waiting.slice(group)
        if waiting.num_rows:
            writer.write_table(waiting, row_group_size=group)
