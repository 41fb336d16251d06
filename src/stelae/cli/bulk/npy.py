"""A ``.npy`` that grows: rows are appended behind a header of fixed size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stelae.cli.bulk.rows import Row, Shape
from stelae.cli.bulk.sink import Appendable, Mark
from stelae.wire import arrays

HEADER = 128
"""Bytes before the first row; room for any number of rows."""


def header(rows: int, shape: Shape) -> bytes:
    """The header of a C-ordered matrix, padded to ``HEADER`` bytes.

    Source:
        NEP 1, format version 1.0.
    """
    descr = np.dtype(shape.dtype).newbyteorder("<").str
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': ({rows}, {shape.width}), }}"
    size = HEADER - 10
    return b"\x93NUMPY\x01\x00" + size.to_bytes(2, "little") + text.ljust(size - 1).encode() + b"\n"


def errors_path(path: Path) -> Path:
    """Where the failed items of a ``.npy`` are listed."""
    return path.with_name(f"{path.name}.errors.jsonl")


class NpySink:
    """A matrix with one row per item, NaN where an item failed.

    Each commit corrects the header, so the file is a complete ``.npy`` of the
    committed rows at any time. Failed items are listed in ``OUT.errors.jsonl``,
    which exists only if there are any.
    """

    commit_seconds = 1.0

    def __init__(self, path: Path, shape: Shape, mark: Mark | None = None) -> None:
        self._path = path
        self._shape = shape
        self._dtype = np.dtype(shape.dtype).newbyteorder("<")
        self._file = Appendable(path, mark.bytes if mark else 0)
        if mark is None:
            errors_path(path).unlink(missing_ok=True)
            self._file.append(header(0, shape))
        self._errors: Appendable | None = None
        if mark is not None and errors_path(path).exists():
            self._errors = Appendable(errors_path(path), mark.error_bytes)

    def write(self, rows: Sequence[Row]) -> None:
        """Append one row of numbers each, and list those that failed."""
        block = np.full((len(rows), self._shape.width), np.nan, dtype=self._dtype)
        for number, row in enumerate(rows):
            if row.embedding is not None:
                block[number] = row.embedding
        self._file.append(block.tobytes())
        for row in rows:
            if row.error is not None:
                self._list(row)

    def _list(self, row: Row) -> None:
        if self._errors is None:
            self._errors = Appendable(errors_path(self._path), 0)
        value = {"index": row.index} | ({} if row.id is None else {"id": row.id})
        self._errors.append(arrays.to_json(value | {"error": row.error}) + b"\n")

    def commit(self) -> Mark:
        """Make the rows durable and the header say how many there are."""
        width = self._shape.width * self._dtype.itemsize
        self._file.patch(header((self._file.bytes - HEADER) // width, self._shape))
        self._file.sync()
        if self._errors is not None:
            self._errors.sync()
        return Mark(bytes=self._file.bytes, error_bytes=self._errors.bytes if self._errors else 0)

    def finish(self) -> None:
        """Nothing is left to do: the last commit wrote the header."""

    def close(self) -> None:
        """Let go of the files."""
        self._file.close()
        if self._errors is not None:
            self._errors.close()
