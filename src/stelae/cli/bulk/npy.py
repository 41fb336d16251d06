"""A ``.npy`` that grows: rows are appended behind a header of fixed size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stelae.cli.bulk.rows import Embedding, Row, Shape
from stelae.cli.bulk.sink import Appendable, Mark
from stelae.wire import arrays

HEADER = 128
"""Bytes before the first row; room for any number of rows."""


def header(rows: int, width: int, dtype: str) -> bytes:
    """The header of a C-ordered matrix, padded to ``HEADER`` bytes.

    Source:
        NEP 1, format version 1.0.
    """
    descr = np.dtype(dtype).newbyteorder("<").str
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': ({rows}, {width}), }}"
    size = HEADER - 10
    return b"\x93NUMPY\x01\x00" + size.to_bytes(2, "little") + text.ljust(size - 1).encode() + b"\n"


def errors_path(path: Path) -> Path:
    """Where the failed items of a ``.npy`` are listed."""
    return path.with_name(f"{path.name}.errors.jsonl")


def scales_path(path: Path) -> Path:
    """Where the scale and the zero of each row of a ``.npy`` of whole numbers lie."""
    return path.with_name(f"{path.name}.scales.npy")


class GrowingMatrix:
    """A ``.npy`` that is complete after each commit.

    Args:
        path: The file.
        width: Numbers in a row.
        dtype: Their format.
        kept: Committed bytes of an earlier run; ``None`` starts an empty file.
    """

    def __init__(self, path: Path, width: int, dtype: str, kept: int | None) -> None:
        self._width, self._name = width, dtype
        self._dtype = np.dtype(dtype).newbyteorder("<")
        self._file = Appendable(path, kept or 0)
        if kept is None:
            self._file.append(header(0, width, dtype))

    def append(self, rows: Sequence[Embedding | None]) -> None:
        """Write one row each; NaN, or 0 in whole numbers, where there is none."""
        nothing = np.nan if self._dtype.kind == "f" else 0
        block = np.full((len(rows), self._width), nothing, dtype=self._dtype)
        for number, row in enumerate(rows):
            if row is not None:
                block[number] = row
        self._file.append(block.tobytes())

    def commit(self) -> int:
        """Make the rows durable and the header say how many there are; bytes of the file."""
        rows = (self._file.bytes - HEADER) // (self._width * self._dtype.itemsize)
        self._file.patch(header(rows, self._width, self._name))
        self._file.sync()
        return self._file.bytes

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


class NpySink:
    """A matrix with one row per item, NaN (in whole numbers 0) where an item failed.

    The file is a complete ``.npy`` of the committed rows at any time. Failed items are
    listed in ``OUT.errors.jsonl``, which exists only if there are any. The scale and the
    zero of rows in whole numbers are the two columns of ``OUT.scales.npy``.
    """

    commit_seconds = 1.0

    def __init__(self, path: Path, shape: Shape, mark: Mark | None = None) -> None:
        self._path = path
        kept, scales_kept = (mark.bytes, mark.scale_bytes) if mark else (None, None)
        self._vectors = GrowingMatrix(path, shape.width, shape.dtype, kept)
        if mark is None:
            errors_path(path).unlink(missing_ok=True)
            scales_path(path).unlink(missing_ok=True)
        self._scales: GrowingMatrix | None = None
        if shape.scaled:
            self._scales = GrowingMatrix(scales_path(path), 2, "float32", scales_kept)
        self._errors: Appendable | None = None
        if mark is not None and errors_path(path).exists():
            self._errors = Appendable(errors_path(path), mark.error_bytes)

    def write(self, rows: Sequence[Row]) -> None:
        """Append one row of numbers each, and list those that failed."""
        self._vectors.append([row.embedding for row in rows])
        if self._scales is not None:
            self._scales.append([_scale_and_zero(row) for row in rows])
        for row in rows:
            if row.error is not None:
                self._list(row)

    def _list(self, row: Row) -> None:
        if self._errors is None:
            self._errors = Appendable(errors_path(self._path), 0)
        value = {"index": row.index} | ({} if row.id is None else {"id": row.id})
        self._errors.append(arrays.to_json(value | {"error": row.error}) + b"\n")

    def commit(self) -> Mark:
        """Make the rows durable and the headers say how many there are."""
        scales = 0 if self._scales is None else self._scales.commit()
        written = self._vectors.commit()
        if self._errors is not None:
            self._errors.sync()
        errors = self._errors.bytes if self._errors else 0
        return Mark(bytes=written, error_bytes=errors, scale_bytes=scales)

    def finish(self) -> None:
        """Nothing is left to do: the last commit wrote the headers."""

    def close(self) -> None:
        """Let go of the files."""
        for file in (self._vectors, self._scales, self._errors):
            if file is not None:
                file.close()


def _scale_and_zero(row: Row) -> NDArray[Any] | None:
    read = row.reading
    return None if read is None else np.array([read.scale[0], read.zero[0]], np.float32)
