"""The documents of one collection in an SQLite file: the truth that its graph is made from.

A document has a position, its row number. What is changed or dropped keeps its row, without
a document, until the rows are numbered anew; so positions mean the same here and in the graph.
Methods block.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from stelae.collections.filters import Clause
from stelae.errors import StelaeError
from stelae.types import Document

Floats = np.typing.NDArray[np.float32]

SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value BLOB);
CREATE TABLE IF NOT EXISTS documents (
    position INTEGER PRIMARY KEY, id TEXT UNIQUE, text TEXT, uri TEXT, tags TEXT, image BLOB,
    vector BLOB NOT NULL
);
"""

AT_ONCE = 500
"""Rows asked for by one statement."""

FIELDS = "id, text, uri, tags, image"


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a collection was made with.

    Attributes:
        model: The model that makes its vectors.
        fingerprint: Identifies that model's weights and options.
        dimensions: Width of its vectors.
        created: Unix time.
    """

    model: str
    fingerprint: str
    dimensions: int
    created: float


class Documents:
    """Documents and vectors by position.

    Args:
        path: The file; made if need be.
        facts: What it is made with, if it is new.

    Raises:
        StelaeError: The file cannot be used.
    """

    def __init__(self, path: Path, facts: Facts | None = None) -> None:
        self.path = path
        try:
            self._database = sqlite3.connect(path, check_same_thread=False)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.executescript(SCHEMA)
            if facts is not None:
                self.note("facts", msgspec.json.encode(facts))
            self.facts = msgspec.json.decode(self.noted("facts") or b"{}", type=Facts)
        except (sqlite3.Error, msgspec.DecodeError) as error:
            raise _broken(path, error) from error

    def close(self) -> None:
        """Let the file go."""
        self._database.close()

    # -- facts -------------------------------------------------------------------------------

    def note(self, name: str, value: bytes) -> None:
        """Keep a fact."""
        with self._writing() as database:
            database.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def noted(self, name: str) -> bytes | None:
        """A fact, if it is known."""
        rows = self._rows("SELECT value FROM facts WHERE name = ?", (name,))
        return rows[0][0] if rows else None

    @property
    def size(self) -> int:
        """Documents there are."""
        return int(self._rows("SELECT COUNT(id) FROM documents")[0][0])

    @property
    def rows(self) -> int:
        """Positions given, empty ones included."""
        return int(self._rows("SELECT COALESCE(MAX(position) + 1, 0) FROM documents")[0][0])

    @property
    def bytes(self) -> int:
        """What the file takes on disk."""
        return self.path.stat().st_size

    # -- documents ---------------------------------------------------------------------------

    def put(self, documents: Sequence[Document], vectors: Floats) -> list[int]:
        """Keep documents, the last of those with one id, in place of their predecessors.

        Args:
            documents: In order.
            vectors: Of each, shape ``(N, D)``.

        Returns:
            Positions that became empty.
        """
        first = self.rows
        with self._writing() as database:
            left = self._leave(database, [document.id for document in documents])
            last = {document.id: index for index, document in enumerate(documents)}
            for index, (document, vector) in enumerate(zip(documents, vectors, strict=True)):
                kept = _row(document) if last[document.id] == index else (None,) * 5
                row = (first + index, *kept, vector.astype(np.float32).tobytes())
                database.execute("INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?)", row)
                if last[document.id] != index:
                    left.append(first + index)
        return left

    def change(self, names: Sequence[str], tags: Sequence[dict[str, Any]]) -> list[bool]:
        """Give documents other tags; says of each whether it is there."""
        with self._writing() as database:
            return [
                database.execute(
                    "UPDATE documents SET tags = ? WHERE id = ?", (_json(new), name)
                ).rowcount
                > 0
                for name, new in zip(names, tags, strict=True)
            ]

    def drop(self, names: Sequence[str]) -> list[int]:
        """Forget documents; returns the positions that became empty."""
        with self._writing() as database:
            return self._leave(database, names)

    def at(self, positions: Iterable[int]) -> dict[int, Document]:
        """Documents by position; empty positions are left out."""
        wanted = list({int(position) for position in positions})
        found: dict[int, Document] = {}
        for some in _parts(wanted):
            which = f"id NOT NULL AND position IN {_places(some)}"
            sql = f"SELECT position, {FIELDS} FROM documents WHERE {which}"  # noqa: S608 - places only
            for position, *row in self._rows(sql, some):
                found[position] = _document(row)
        return found

    def get(self, names: Sequence[str]) -> list[Document]:
        """Documents by id, in order; those that are not there are left out."""
        found: dict[str, Document] = {}
        for some in _parts(list(dict.fromkeys(names))):
            sql = f"SELECT {FIELDS} FROM documents WHERE id IN "  # noqa: S608 - words of our own
            found |= {row[0]: _document(row) for row in self._rows(sql + _places(some), some)}
        return [found[name] for name in names if name in found]

    def positions(self, condition: Clause | None = None) -> np.typing.NDArray[np.int64]:
        """Positions of the documents that meet a condition."""
        sql, values = ("1", []) if condition is None else condition
        query = f"SELECT position FROM documents WHERE id NOT NULL AND {sql}"  # noqa: S608 - from `where`
        return np.array([row[0] for row in self._rows(query, values)], dtype=np.int64)

    def names(self, condition: Clause) -> list[str]:
        """Ids of the documents that meet a condition."""
        sql, values = condition
        query = f"SELECT id FROM documents WHERE id NOT NULL AND {sql}"  # noqa: S608 - from `where`
        return [row[0] for row in self._rows(query, values)]

    def vectors(self, start: int) -> Iterator[Floats]:
        """Vectors from a position on, in order, some at a time, those of empty ones too."""
        while True:
            rows = self._rows(
                "SELECT vector FROM documents WHERE position >= ? ORDER BY position LIMIT ?",
                (start, AT_ONCE),
            )
            if not rows:
                return
            start += len(rows)
            yield np.frombuffer(b"".join(row[0] for row in rows), np.float32).reshape(len(rows), -1)

    def number_anew(self) -> None:
        """Close the gaps that changed and dropped documents left."""
        with self._writing() as database:
            database.execute("DELETE FROM documents WHERE id IS NULL")
            places = "SELECT position, ROW_NUMBER() OVER (ORDER BY position) - 1 FROM documents"
            # In order and never upwards, so that no two documents meet.
            for old, new in database.execute(places).fetchall():
                if old != new:
                    database.execute(
                        "UPDATE documents SET position = ? WHERE position = ?", (new, old)
                    )

    def _leave(self, database: sqlite3.Connection, names: Sequence[str]) -> list[int]:
        left: list[int] = []
        for some in _parts(list(dict.fromkeys(names))):
            which = f"id IN {_places(some)}"
            found = database.execute(f"SELECT position FROM documents WHERE {which}", some)  # noqa: S608 - places only
            left += [row[0] for row in found.fetchall()]
            empty = "id = NULL, text = NULL, uri = NULL, tags = NULL, image = NULL"
            database.execute(f"UPDATE documents SET {empty} WHERE {which}", some)  # noqa: S608 - places only
        return left

    # -- the database ------------------------------------------------------------------------

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        try:
            return self._database.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise _broken(self.path, error) from error

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._database:
                yield self._database
        except sqlite3.Error as error:
            raise _broken(self.path, error) from error


def new_facts(model: str, fingerprint: str, dimensions: int) -> Facts:
    """Facts of a collection that is made now."""
    return Facts(model=model, fingerprint=fingerprint, dimensions=dimensions, created=time.time())


def _row(document: Document) -> tuple[Any, ...]:
    tags = _json(document.tags)
    return document.id, document.text, document.uri, tags, document.image


def _document(row: Sequence[Any]) -> Document:
    name, text, uri, tags, image = row
    return Document(id=name, text=text, uri=uri, tags=msgspec.json.decode(tags), image=image)


def _json(tags: dict[str, Any]) -> str:
    return msgspec.json.encode(tags).decode()


def _parts(values: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(values), AT_ONCE):
        yield values[start : start + AT_ONCE]


def _places(values: Sequence[Any]) -> str:
    return f"({', '.join('?' * len(values))})"


def _broken(path: Path, error: Exception) -> StelaeError:
    return StelaeError(
        f"the collection '{path.stem}' cannot be used: {error}",
        hint=f"restore {path.name} from a copy, or delete the collection",
    )
