"""Outputs of ``stelae embed``: rows are written, then committed.

A commit is a promise: whatever happens afterwards, opening the sink again with
the mark of that commit gives a file with exactly the rows before it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Protocol

import msgspec
import numpy as np

from stelae.cli.bulk.rows import Row, Shape
from stelae.errors import Conflict, InvalidInput
from stelae.wire import arrays

if find_spec("fcntl") is not None:
    import fcntl

FORMATS = {
    ".npy": "npy",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}


class Mark(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far the files of a sink are committed.

    Attributes:
        bytes: Of the output.
        error_bytes: Of the list of failed items beside a ``.npy``.
        scale_bytes: Of the scales beside a ``.npy`` of whole numbers.
        parts: Number of finished parts of a Parquet file.
    """

    bytes: int = 0
    error_bytes: int = 0
    scale_bytes: int = 0
    parts: int = 0


class Sink(Protocol):
    """Somewhere to put rows.

    Attributes:
        commit_seconds: Time between commits that is worth their cost.
    """

    commit_seconds: float

    def write(self, rows: Sequence[Row]) -> None:
        """Append rows; all of them have the shape the sink was opened with."""
        ...

    def commit(self) -> Mark:
        """Make everything written so far durable."""
        ...

    def finish(self) -> None:
        """Complete the output after the last commit."""
        ...

    def close(self) -> None:
        """Let go of the files, finished or not."""
        ...


class Appendable:
    """A file of ours that grows, and that no second run may write.

    Args:
        path: The file; made if there is none.
        keep: Committed bytes of an earlier run; what follows them is dropped.

    Raises:
        Conflict: Another process writes it, or it is shorter than ``keep``.
    """

    def __init__(self, path: Path, keep: int) -> None:
        self._path = path
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        self._file: IO[bytes] = os.fdopen(descriptor, "r+b")
        try:
            claim(descriptor, path)
            self._rewind(keep)
        except Conflict:
            self._file.close()
            raise
        self.bytes = keep

    def _rewind(self, keep: int) -> None:
        size = os.fstat(self._file.fileno()).st_size
        if size < keep:
            raise Conflict(
                f"output '{self._path}' has {size} bytes, fewer than the {keep} committed earlier",
                hint="it was changed since; start anew with --no-resume",
            )
        self._file.truncate(keep)
        self._file.seek(keep)

    def append(self, data: bytes) -> None:
        """Write at the end."""
        self._file.write(data)
        self.bytes += len(data)

    def patch(self, data: bytes) -> None:
        """Write over the first bytes and return to the end."""
        self._file.seek(0)
        self._file.write(data)
        self._file.seek(self.bytes)

    def sync(self) -> None:
        """Make what was written durable."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


class JsonlSink:
    """One JSON object a row."""

    commit_seconds = 1.0

    def __init__(self, path: Path, mark: Mark | None = None) -> None:
        self._file = Appendable(path, mark.bytes if mark else 0)

    def write(self, rows: Sequence[Row]) -> None:
        """Append one line a row."""
        self._file.append(b"".join(line(row) for row in rows))

    def commit(self) -> Mark:
        """Make the lines durable."""
        self._file.sync()
        return Mark(bytes=self._file.bytes)

    def finish(self) -> None:
        """Nothing is left to do: every line is complete."""

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


class StdoutSink:
    """JSONL to stdout, at once; there is nothing to resume."""

    commit_seconds = float("inf")

    def write(self, rows: Sequence[Row]) -> None:
        """Print one line a row."""
        sys.stdout.buffer.write(b"".join(line(row) for row in rows))
        sys.stdout.buffer.flush()

    def commit(self) -> Mark:
        """Nothing is kept."""
        return Mark()

    def finish(self) -> None:
        """Nothing is left to do."""

    def close(self) -> None:
        """Stdout stays open."""


def line(row: Row) -> bytes:
    """A row as a line of JSON: index, id if it has one, embedding or error, tokens.

    An embedding in whole numbers is followed by its scale and zero, for token vectors a
    list of each; one of bits by the number of them.
    """
    value: dict[str, object] = {"index": row.index}
    if row.id is not None:
        value["id"] = row.id
    value |= {"embedding": row.embedding, **_reading(row)}
    value |= {"tokens": row.tokens, "truncated": row.truncated}
    if row.error is not None:
        value["error"] = {"code": row.error.code, "message": row.error.message}
    return arrays.to_json(value) + b"\n"


def _reading(row: Row) -> dict[str, object]:
    if row.reading is None or not isinstance(row.embedding, np.ndarray):
        return {}
    many = row.embedding.ndim > 1
    found = {name: getattr(row.reading, name) for name in ("scale", "zero")}
    value: dict[str, object] = {k: v if many else float(v[0]) for k, v in found.items()}
    if row.reading.dimensions is not None:
        value["dimensions"] = row.reading.dimensions
    return value


def claim(descriptor: int, path: Path) -> None:
    """Keep other runs away from an open file or folder until it is closed.

    Raises:
        Conflict: Another process holds it.
    """
    if find_spec("fcntl") is None:  # Windows: a second run is not noticed
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise Conflict(
            f"output '{path}' is being written by another 'stelae embed'",
            hint="wait for it, or choose another output",
        ) from error


def output_format(path: Path | None, wanted: str) -> str:
    """The format of an output: as asked for, else by the end of its name; JSONL for stdout.

    Raises:
        InvalidInput: The name does not tell.
    """
    if wanted != "auto":
        return wanted
    if path is None:
        return "jsonl"
    if path.suffix.lower() not in FORMATS:
        raise InvalidInput(
            f"output '{path}': the name does not tell the format",
            param="output",
            hint=f"end it with {', '.join(FORMATS)}, or give --output-format",
        )
    return FORMATS[path.suffix.lower()]


def open_sink(
    path: Path | None, kind: str, shape: Shape, *, with_ids: bool, mark: Mark | None
) -> Sink:
    """Open an output.

    Args:
        path: A file, or ``None`` for stdout.
        kind: ``npy``, ``jsonl`` or ``parquet``.
        shape: What the vectors look like.
        with_ids: Whether records may carry ids.
        mark: Where an earlier run got to; ``None`` starts an empty output.

    Raises:
        Conflict: Another run writes it, or it was changed since ``mark``.
        MissingDependency: Parquet without pyarrow.
    """
    if path is None:
        return StdoutSink()
    match kind:
        case "npy":
            from stelae.cli.bulk.npy import NpySink

            return NpySink(path, shape, mark)
        case "parquet":
            from stelae.cli.bulk.parquet import ParquetSink

            return ParquetSink(path, shape, with_ids=with_ids, mark=mark)
        case _:
            return JsonlSink(path, mark)
