"""Parquet through pyarrow: a column of texts in, rows of any kind out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stelae.cli.bulk.columns import columns
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
    """Columns of the output; what made the numbers stands in the file's metadata."""
    facts = {"stelae.model": shape.model, "stelae.fingerprint": shape.fingerprint}
    if shape.dimensions is not None:
        facts["stelae.dimensions"] = str(shape.dimensions)
    return pa.schema([c.field for c in columns(shape, with_ids=with_ids)], metadata=facts)


def write_part(path: Path, rows: Sequence[Row], shape: Shape, *, with_ids: bool) -> None:
    """Write rows as one Arrow file, whole or not at all."""
    kind = schema(shape, with_ids=with_ids)
    made = [column.make(rows) for column in columns(shape, with_ids=with_ids)]
    table = pa.table(made, schema=kind)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, kind) as writer:
        writer.write_table(table)


def join_parts(
    parts: Sequence[Path], path: Path, shape: Shape, *, with_ids: bool, group: int, most: int
) -> None:
    """Write the rows of all parts into one Parquet file.

    Args:
        parts: The Arrow files, in order.
        path: The Parquet file.
        shape: What the rows look like.
        with_ids: Whether they may carry ids.
        group: Rows of a row group.
        most: Bytes from which a row group is closed with fewer rows.
    """
    kind = schema(shape, with_ids=with_ids)
    waiting = kind.empty_table()
    with pq.ParquetWriter(path, kind, compression="zstd", use_dictionary=False) as writer:
        for part in parts:
            with pa.OSFile(str(part), "rb") as file:
                waiting = pa.concat_tables([waiting, pa.ipc.open_file(file).read_all()])
            while waiting.num_rows >= group or waiting.nbytes >= most:
                writer.write_table(waiting.slice(0, group), row_group_size=group)
                waiting = waiting.slice(group)
        if waiting.num_rows:
            writer.write_table(waiting, row_group_size=group)
