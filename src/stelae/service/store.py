"""What outlives the server: files, and work that is done in the background; one SQLite file.

Every result is committed when it is there, so that a server that is killed goes on where it
was. Methods block; call them in a thread. One server at a time may use a folder.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import msgspec

from stelae.errors import Conflict, NotFound, StelaeError

SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
    id TEXT PRIMARY KEY, name TEXT, purpose TEXT, size INTEGER, created REAL, data BLOB
);
CREATE TABLE IF NOT EXISTS works (
    id TEXT PRIMARY KEY, kind TEXT, state TEXT, created REAL, facts BLOB
);
CREATE TABLE IF NOT EXISTS units (
    work TEXT, number INTEGER, input BLOB, output BLOB, ok INTEGER, PRIMARY KEY (work, number)
);
"""


def state_folder() -> Path:
    """Where things are kept unless somebody says: the user's folder for states."""
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "stelae"


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file, without its bytes.

    Attributes:
        id: Its name here.
        name: Its name as the caller has it.
        purpose: What it is for, as the caller says.
        size: In bytes.
        created: Unix time.
    """

    id: str
    name: str
    purpose: str
    size: int
    created: float


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is done in the background, in units.

    Attributes:
        id: Its name here.
        kind: Who does it.
        state: ``queued``, ``running``, ``cancelling``, ``cancelled``, ``done`` or ``failed``.
        created: Unix time.
        facts: What its kind keeps of it, JSON values only.
        total: Units.
        done: Units that have a result.
        failed: Those of them that failed.
    """

    id: str
    kind: str
    state: str
    created: float
    facts: dict[str, Any]
    total: int
    done: int
    failed: int


OPEN = ("queued", "running", "cancelling")
"""States of work that is not over."""


class Store:
    """Files and works in a folder.

    Args:
        folder: Made if need be, when it is first used.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        self._claim: IO[str] | None = None

    @property
    def exists(self) -> bool:
        """Whether there is anything to go on with."""
        return (self.folder / "store.sqlite").exists()

    def close(self) -> None:
        """Let the folder go."""
        with self._lock:
            if self._database is not None:
                self._database.close()
            if self._claim is not None:
                self._claim.close()
            self._database = self._claim = None

    # -- files -------------------------------------------------------------------------------

    def put(self, name: str, purpose: str, data: bytes) -> File:
        """Keep a file."""
        file = File(
            id=f"file-{secrets.token_hex(12)}",
            name=name,
            purpose=purpose,
            size=len(data),
            created=time.time(),
        )
        with self._open() as database:
            row = (file.id, file.name, file.purpose, file.size, file.created, data)
            database.execute("INSERT INTO files VALUES (?, ?, ?, ?, ?, ?)", row)
        return file

    def file(self, name: str) -> File:
        """A file's facts.

        Raises:
            NotFound: There is none of that name.
        """
        return self._file(self._one("SELECT * FROM files WHERE id = ?", name, "file"))

    def data(self, name: str) -> bytes:
        """A file's bytes.

        Raises:
            NotFound: There is none of that name.
        """
        data: bytes = self._one("SELECT data FROM files WHERE id = ?", name, "file")[0]
        return data

    def files(self) -> list[File]:
        """All files, the newest first."""
        with self._open() as database:
            rows = database.execute(
                "SELECT id, name, purpose, size, created FROM files ORDER BY created DESC"
            ).fetchall()
        return [self._file(row) for row in rows]

    def drop(self, name: str) -> None:
        """Forget a file.

        Raises:
            NotFound: There is none of that name.
        """
        self.file(name)
        with self._open() as database:
            database.execute("DELETE FROM files WHERE id = ?", (name,))

    # -- works -------------------------------------------------------------------------------

    def begin(self, kind: str, prefix: str, facts: dict[str, Any], units: Iterable[bytes]) -> Work:
        """Note work to be done."""
        name = f"{prefix}_{secrets.token_hex(12)}"
        with self._open() as database:
            database.execute(
                "INSERT INTO works VALUES (?, ?, 'queued', ?, ?)",
                (name, kind, time.time(), msgspec.json.encode(facts)),
            )
            rows = ((name, number, unit) for number, unit in enumerate(units))
            database.executemany("INSERT INTO units VALUES (?, ?, ?, NULL, NULL)", rows)
        return self.work(name)

    def work(self, name: str) -> Work:
        """Work and how far it is.

        Raises:
            NotFound: There is none of that name.
        """
        found = self._works("WHERE works.id = ?", (name,))
        if not found:
            raise NotFound(f"there is no work {name[:80]!r} here", param="id")
        return found[0]

    def works(self, kind: str) -> list[Work]:
        """All work of a kind, the newest first."""
        return self._works("WHERE kind = ?", (kind,))

    def unfinished(self) -> list[Work]:
        """Work that is not over, the oldest first."""
        marks = ", ".join("?" * len(OPEN))
        return self._works(f"WHERE state IN ({marks})", OPEN)[::-1]

    def move(self, name: str, state: str, **facts: Any) -> Work:
        """Note a new state of work, and new facts of it."""
        known = self.work(name)
        with self._open() as database:
            database.execute(
                "UPDATE works SET state = ?, facts = ? WHERE id = ?",
                (state, msgspec.json.encode(known.facts | facts), name),
            )
        return self.work(name)

    def todo(self, name: str, most: int) -> list[tuple[int, bytes]]:
        """The next units without a result, with their numbers."""
        with self._open() as database:
            return database.execute(
                "SELECT number, input FROM units WHERE work = ? AND output IS NULL "
                "ORDER BY number LIMIT ?",
                (name, most),
            ).fetchall()

    def settle(self, name: str, number: int, output: bytes, *, ok: bool) -> None:
        """Keep the result of a unit."""
        with self._open() as database:
            database.execute(
                "UPDATE units SET output = ?, ok = ? WHERE work = ? AND number = ?",
                (output, int(ok), name, number),
            )

    def progress(self, name: str) -> list[tuple[int, bool]]:
        """Numbers of the units that have a result, and whether it went well."""
        with self._open() as database:
            rows = database.execute(
                "SELECT number, ok FROM units WHERE work = ? AND output IS NOT NULL "
                "ORDER BY number",
                (name,),
            ).fetchall()
        return [(number, bool(ok)) for number, ok in rows]

    def output(self, name: str, number: int) -> bytes:
        """The result of a unit.

        Raises:
            NotFound: It has none.
        """
        with self._open() as database:
            row = database.execute(
                "SELECT output FROM units WHERE work = ? AND number = ? AND output IS NOT NULL",
                (name, number),
            ).fetchone()
        if row is None:
            raise NotFound(f"{name[:80]} has no result {number}", param="number")
        output: bytes = row[0]
        return output

    def outputs(self, name: str) -> Iterator[tuple[int, bytes, bool]]:
        """Results so far, in order: number, bytes, whether it went well."""
        with self._open() as database:
            rows = database.execute(
                "SELECT number, output, ok FROM units WHERE work = ? AND output IS NOT NULL "
                "ORDER BY number",
                (name,),
            ).fetchall()
        return ((number, output, bool(ok)) for number, output, ok in rows)

    # -- the database ------------------------------------------------------------------------

    def _works(self, which: str, values: tuple[str, ...]) -> list[Work]:
        with self._open() as database:
            rows = database.execute(
                "SELECT works.id, kind, state, created, facts, COUNT(units.number), "  # noqa: S608
                "COUNT(units.output), COALESCE(SUM(units.ok = 0), 0) "
                f"FROM works LEFT JOIN units ON units.work = works.id {which} "
                "GROUP BY works.id ORDER BY created DESC",
                values,
            ).fetchall()
        names = ("id", "kind", "state", "created", "facts", "total", "done", "failed")
        found = [dict(zip(names, row, strict=True)) for row in rows]
        return [Work(**row | {"facts": msgspec.json.decode(row["facts"])}) for row in found]

    def _one(self, query: str, name: str, kind: str) -> Any:
        with self._open() as database:
            row = database.execute(query, (name,)).fetchone()
        if row is None:
            raise NotFound(f"there is no {kind} {name[:80]!r} here", param="id")
        return row

    def _file(self, row: Any) -> File:
        name, given, purpose, size, created, *_ = row
        return File(id=name, name=given, purpose=purpose, size=size, created=created)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """The database, alone, in a transaction.

        Raises:
            Conflict: Another server uses the folder.
            StelaeError: It cannot be read or written.
        """
        with self._lock:
            try:
                database = self._database = self._database or self._connect()
                with database:
                    yield database
            except (sqlite3.Error, OSError) as error:
                raise StelaeError(
                    f"the store in {self.folder} cannot be used: {error}",
                    hint="store.folder names another place",
                ) from error

    def _connect(self) -> sqlite3.Connection:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        claim = (self.folder / "store.lock").open("w")
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            claim.close()
            raise Conflict(
                f"another server uses the store in {self.folder}",
                hint="store.folder gives this one a place of its own",
            ) from error
        self._claim = claim
        database = sqlite3.connect(self.folder / "store.sqlite", check_same_thread=False)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.executescript(SCHEMA)
        return database
