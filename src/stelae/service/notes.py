"""Small things that are kept for callers: each of one kind, for one caller, until it is old."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from sqlite3 import Connection

from stelae.errors import NotFound
from stelae.service.store import Store

MOST = 10_000
MOST_BYTES = 1 << 30
"""Notes of one kind that are kept for one caller; the oldest give way."""

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS notes (kind TEXT, owner TEXT, id TEXT, created REAL, "
    "size INTEGER, data BLOB, PRIMARY KEY (kind, owner, id))",
    "CREATE INDEX IF NOT EXISTS notes_by_age ON notes (created)",
    "CREATE INDEX IF NOT EXISTS notes_by_owner ON notes (kind, owner, created, id, size)",
)
"""With indices, so that what is to go is found without reading what is kept."""

SLACK = 0.95
"""What is left of too many notes."""

HELD = "SELECT COUNT(*), SUM(size) FROM notes WHERE kind = ? AND owner = ?"

CROWDED = """
SELECT id FROM (
    SELECT id, ROW_NUMBER() OVER newest AS place, SUM(size) OVER newest AS total FROM notes
    WHERE kind = ? AND owner = ? WINDOW newest AS (ORDER BY created DESC, id)
) WHERE place > ? OR total > ?
"""


class Notes:
    """The notes of one kind in a store.

    Methods block; call them in a thread.

    Args:
        store: Keeps them; its ``keep_seconds`` is the age at which they are forgotten.
        kind: What they are.
        most: Notes kept for one caller.
        most_bytes: Their size.
    """

    def __init__(
        self, store: Store, kind: str, most: int = MOST, most_bytes: int = MOST_BYTES
    ) -> None:
        self._store, self._kind = store, kind
        self._most, self._most_bytes = most, most_bytes

    def keep(self, owner: str, name: str, data: bytes) -> None:
        """Keep a note; older ones give way if there are too many."""
        row = (self._kind, owner, name, time.time(), len(data), data)
        with self._open() as database:
            database.execute("DELETE FROM notes WHERE created < ?", (self._old(),))
            database.execute("INSERT OR REPLACE INTO notes VALUES (?, ?, ?, ?, ?, ?)", row)
            (count, size) = database.execute(HELD, (self._kind, owner)).fetchone()
            if count > self._most or size > self._most_bytes:
                self._thin(database, owner)

    def _thin(self, database: Connection, owner: str) -> None:
        """Forget the oldest notes of a caller; a few more than must be, so that it lasts."""
        bounds = (SLACK * self._most, SLACK * self._most_bytes)
        crowded = database.execute(CROWDED, (self._kind, owner, *bounds)).fetchall()
        gone = [(self._kind, owner, name) for (name,) in crowded]
        database.executemany("DELETE FROM notes WHERE kind = ? AND owner = ? AND id = ?", gone)

    def get(self, owner: str, name: str) -> bytes:
        """A note.

        Raises:
            NotFound: This caller has none of that name, or no longer.
        """
        with self._open() as database:
            row = database.execute(
                "SELECT data FROM notes WHERE kind = ? AND owner = ? AND id = ? AND created >= ?",
                (self._kind, owner, name, self._old()),
            ).fetchone()
        if row is None:
            raise self._missing(name)
        data: bytes = row[0]
        return data

    def drop(self, owner: str, name: str) -> None:
        """Forget a note.

        Raises:
            NotFound: This caller has none of that name.
        """
        with self._open() as database:
            gone = database.execute(
                "DELETE FROM notes WHERE kind = ? AND owner = ? AND id = ?",
                (self._kind, owner, name),
            )
        if gone.rowcount == 0:
            raise self._missing(name)

    @contextmanager
    def _open(self) -> Iterator[Connection]:
        with self._store.transaction() as database:
            for statement in SCHEMA:
                database.execute(statement)
            yield database

    def _old(self) -> float:
        return time.time() - self._store.keep_seconds

    def _missing(self, name: str) -> NotFound:
        days = self._store.keep_seconds / 86_400
        return NotFound(
            f"there is no {self._kind} {name[:80]!r} here",
            param="id",
            hint=f"it was not kept, or is more than {days:g} days old",
        )
