"""Inputs of ``stelae embed``: text, JSONL or Parquet, read one record at a time."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import msgspec

from stelae.cli.bulk.rows import Id, Record, unreadable
from stelae.cli.needs import need
from stelae.errors import InvalidInput

STDIN = "-"
BOM = b"\xef\xbb\xbf"
FORMATS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet", ".pq": "parquet"}


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Which input a job reads; two runs with different ones are different jobs.

    Attributes:
        path: Absolute path, or ``-``.
        bytes: Size of the file.
        modified_ns: When it was last written.
    """

    path: str
    bytes: int | None = None
    modified_ns: int | None = None


class Source(Protocol):
    """Something that yields records in order.

    Attributes:
        identity: Which input it is.
        with_ids: Whether records may carry an id.
        total: Units in all (bytes, or rows of Parquet); ``None`` if unknown.
        done: Units read so far.
    """

    identity: Identity
    with_ids: bool
    total: int | None
    done: int

    def __iter__(self) -> Iterator[Record]:
        """Read the records from the first to the last, once."""
        ...


def input_format(path: str, wanted: str) -> str:
    """The format of an input: as asked for, else by the end of its name, else text."""
    if wanted != "auto":
        return wanted
    return FORMATS.get(Path(path).suffix.lower(), "text")


def identify(path: str) -> Identity:
    """Describe an input file.

    Raises:
        InvalidInput: There is no such file, or it is a folder.
    """
    if path == STDIN:
        return Identity(path=STDIN)
    file = Path(path)
    if file.is_dir():
        raise InvalidInput(f"input {path!r} is a folder, a file is needed", param="FILE")
    try:
        found = file.stat()
    except FileNotFoundError as error:
        raise InvalidInput(f"input {path!r}: no such file", param="FILE") from error
    if not file.is_file():  # a named pipe or a device has neither size nor age
        return Identity(path=str(file.absolute()))
    return Identity(path=str(file.resolve()), bytes=found.st_size, modified_ns=found.st_mtime_ns)


class TextSource:
    """One item a line; an empty line is an empty item, so rows are line numbers."""

    with_ids = False

    def __init__(self, path: str) -> None:
        self.identity = identify(path)
        self.total = self.identity.bytes
        self.done = 0
        self._path = path

    def __iter__(self) -> Iterator[Record]:
        """Read the lines."""
        for number, raw in enumerate(self._lines(), start=1):
            yield self._record(number, raw)

    def _lines(self) -> Iterator[bytes]:
        stream, mine = _open(self._path)
        try:
            for number, raw in enumerate(stream):
                self.done += len(raw)
                yield raw.removeprefix(BOM) if number == 0 else raw
        finally:
            if mine:
                stream.close()

    def _record(self, number: int, raw: bytes) -> Record:
        line = raw.removesuffix(b"\n").removesuffix(b"\r")
        try:
            return Record(line.decode("utf-8"))
        except UnicodeDecodeError as error:
            return unreadable(f"line {number} is not UTF-8: {error.reason} at byte {error.start}")


class JsonlSource(TextSource):
    """One JSON object a line (or a JSON string); blank lines are passed over."""

    with_ids = True

    def __init__(self, path: str, field: str, id_field: str) -> None:
        super().__init__(path)
        self._field = field
        self._id_field = id_field

    def __iter__(self) -> Iterator[Record]:
        """Read the objects.

        Raises:
            InvalidInput: The first object lacks the field: it is misspelled
                rather than missing from one item.
        """
        first = True
        for number, raw in enumerate(self._lines(), start=1):
            if raw.strip():
                yield self._item(number, raw, first)
                first = False

    def _item(self, number: int, raw: bytes, first: bool) -> Record:
        try:
            value = msgspec.json.decode(raw)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            return unreadable(f"line {number} is not JSON: {error}")
        if isinstance(value, str):
            return Record(value)
        if not isinstance(value, dict):
            return unreadable(f"line {number} is neither an object nor a string")
        if first and self._field not in value:
            raise _no_field(self._field, list(value))
        return self._from_object(number, value)

    def _from_object(self, number: int, value: dict[str, Any]) -> Record:
        name = _as_id(value.get(self._id_field))
        text = value.get(self._field)
        if isinstance(text, str):
            return Record(text, name)
        return unreadable(
            f"line {number}: field {self._field!r} {_instead(value, self._field)}", name
        )


class ParquetSource:
    """A column of strings of a Parquet file, read in slices.

    Raises:
        InvalidInput: Not a Parquet file, or no such column of strings.
        MissingDependency: pyarrow is not installed.
    """

    def __init__(self, path: str, field: str, id_field: str) -> None:
        need("Parquet", "pyarrow", extra="parquet")
        from stelae.cli.bulk import arrow

        if path == STDIN:
            raise InvalidInput(
                "Parquet cannot be read from stdin: its index is at the end; give a file",
                param="FILE",
            )
        self.identity = identify(path)
        self._table = arrow.TextColumn(path, field, id_field)
        self.with_ids = self._table.with_ids
        self.total: int | None = self._table.rows
        self.done = 0

    def __iter__(self) -> Iterator[Record]:
        """Read the rows."""
        for text, name in self._table:
            self.done += 1
            if text is None:
                yield unreadable(f"row {self.done - 1}: the text is null", _as_id(name))
            else:
                yield Record(text, _as_id(name))


def open_source(path: str, kind: str, field: str, id_field: str) -> Source:
    """Open an input.

    Args:
        path: A file, or ``-`` for stdin.
        kind: ``text``, ``jsonl`` or ``parquet``.
        field: Field or column that holds the text.
        id_field: Field or column that holds the id, used where it exists.

    Raises:
        InvalidInput: The file cannot be read as this format.
        MissingDependency: Parquet without pyarrow.
    """
    match kind:
        case "text":
            return TextSource(path)
        case "jsonl":
            return JsonlSource(path, field, id_field)
        case _:
            return ParquetSource(path, field, id_field)


def _open(path: str) -> tuple[BinaryIO, bool]:
    if path == STDIN:
        return sys.stdin.buffer, False
    return Path(path).open("rb"), True


def _as_id(value: object) -> Id | None:
    if value is None or isinstance(value, bool):
        return None
    return value if isinstance(value, str | int) else str(value)


def _instead(value: dict[str, Any], field: str) -> str:
    if field not in value:
        return "is missing"
    return (
        "is null" if value[field] is None else f"is a {type(value[field]).__name__}, not a string"
    )


def _no_field(field: str, present: list[str]) -> InvalidInput:
    return InvalidInput(
        f"--field {field}: the first object has no such field",
        param="field",
        hint=f"it has {', '.join(present) or 'none'}; name the one with the text by --field",
    )
