"""What outlives the server: files, and work that is done in the background; one SQLite file.

Every result is committed when it is there, so that a server that is killed goes on where it
was. Methods block; call them in a thread. One server at a time may use a folder.
"""

from __future__ import annotations

import errno
import fcntl
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import msgspec

from stelae.errors import Conflict, NotFound, QueueFull, ShuttingDown, StelaeError

SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
    id TEXT PRIMARY KEY, name TEXT, purpose TEXT, size INTEGER, created REAL,
    owner TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS pieces (
    file TEXT, number INTEGER, data BLOB, PRIMARY KEY (file, number)
);
CREATE TABLE IF NOT EXISTS works (
    id TEXT PRIMARY KEY, kind TEXT, state TEXT, created REAL, facts BLOB,
    owner TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS units (
    work TEXT, number INTEGER, input BLOB, output BLOB, ok INTEGER, PRIMARY KEY (work, number)
);
"""

OWNED = ("files", "works")
"""Tables that had no owners once."""


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file, without its bytes.

    Attributes:
        id: Its name here.
        name: Its name as the caller has it.
        purpose: What it is for, as the caller says.
        size: In bytes.
        created: Unix time.
        owner: The key of who keeps it; nobody else finds it.
    """

    id: str
    name: str
    purpose: str
    size: int
    created: float
    owner: str = ""


FILE = ", ".join(File.__struct_fields__)
INTO_FILES = f"INSERT INTO files ({FILE}) VALUES (?, ?, ?, ?, ?, ?)"  # noqa: S608  # our own words


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
        owner: The key of who asked for it; nobody else finds it.
    """

    id: str
    kind: str
    state: str
    created: float
    facts: dict[str, Any]
    total: int
    done: int
    failed: int
    owner: str = ""


PIECE = 8 << 20
"""Bytes of a file that are kept, and read, at once."""

MOST_BYTES = 20 << 30
KEEP_SECONDS = 30 * 86_400.0

BUSY_SECONDS = 1.0
"""Time for another program to let go of the database."""

OPEN = ("queued", "running", "cancelling")
"""States of work that is not over."""


class Store:
    """Files and works in a folder.

    Args:
        folder: Made if need be, when it is first used.
        most_bytes: Size from which on nothing more is taken.
        keep_seconds: Age at which files, and work that is over, are forgotten.
    """

    def __init__(
        self, folder: Path, most_bytes: int = MOST_BYTES, keep_seconds: float = KEEP_SECONDS
    ) -> None:
        self.folder = folder
        self.most_bytes = most_bytes
        self.keep_seconds = keep_seconds
        self._over = False
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        self._claim: IO[str] | None = None

    @property
    def exists(self) -> bool:
        """Whether there is anything to go on with."""
        return (self.folder / "store.sqlite").exists()

    def close(self) -> None:
        """Let the folder go, for good."""
        with self._lock:
            self._over = True
            if self._database is not None:
                self._database.close()
            if self._claim is not None:
                self._claim.close()
            self._database = self._claim = None

    # -- files -------------------------------------------------------------------------------

    def put(self, name: str, purpose: str, data: Iterable[bytes], owner: str = "") -> File:
        """Keep a file, piece by piece.

        Raises:
            Conflict: The store is full.
        """
        self._make_room()
        file = File(
            id=f"file-{secrets.token_hex(12)}",
            name=name,
            purpose=purpose,
            size=0,
            created=time.time(),
            owner=owner,
        )
        with ExitStack() as undo:
            undo.callback(self._forget_pieces, file.id)
            size = 0
            for number, piece in enumerate(_cut(data)):
                size += len(piece)
                with self._open() as database:
                    row = (file.id, number, piece)
                    database.execute("INSERT INTO pieces VALUES (?, ?, ?)", row)
            with self._open() as database:
                facts = (file.id, file.name, file.purpose, size, file.created, owner)
                database.execute(INTO_FILES, facts)
            undo.pop_all()
        return msgspec.structs.replace(file, size=size)

    def file(self, name: str, owner: str = "") -> File:
        """A file's facts.

        Raises:
            NotFound: This owner has none of that name.
        """
        with self._open() as database:
            row = database.execute(
                f"SELECT {FILE} FROM files WHERE id = ? AND owner = ?",  # noqa: S608
                (name, owner),
            ).fetchone()
        if row is None:
            raise NotFound(f"there is no file {name[:80]!r} here", param="id")
        return _file(row)

    def piece(self, name: str, number: int) -> bytes | None:
        """The bytes of a piece of a file; ``None`` after its last."""
        with self._open() as database:
            row = database.execute(
                "SELECT data FROM pieces WHERE file = ? AND number = ?", (name, number)
            ).fetchone()
        return None if row is None else row[0]

    def data(self, name: str, owner: str = "") -> bytes:
        """A file's bytes.

        Raises:
            NotFound: This owner has none of that name.
        """
        self.file(name, owner)
        found: list[bytes] = []
        while (piece := self.piece(name, len(found))) is not None:
            found.append(piece)
        return b"".join(found)

    def files(self, owner: str = "") -> list[File]:
        """All files of an owner, the newest first."""
        with self._open() as database:
            rows = database.execute(
                f"SELECT {FILE} FROM files WHERE owner = ? ORDER BY created DESC",  # noqa: S608
                (owner,),
            ).fetchall()
        return [_file(row) for row in rows]

    def drop(self, name: str, owner: str = "") -> None:
        """Forget a file.

        Raises:
            NotFound: This owner has none of that name.
        """
        self.file(name, owner)
        with self._open() as database:
            database.execute("DELETE FROM files WHERE id = ?", (name,))
            database.execute("DELETE FROM pieces WHERE file = ?", (name,))

    # -- works -------------------------------------------------------------------------------

    def begin(
        self,
        kind: str,
        prefix: str,
        facts: dict[str, Any],
        units: Iterable[bytes],
        owner: str = "",
    ) -> Work:
        """Note work to be done."""
        self._make_room()
        name = f"{prefix}_{secrets.token_hex(12)}"
        with self._open() as database:
            database.execute(
                "INSERT INTO works (id, kind, state, created, facts, owner) "
                "VALUES (?, ?, 'queued', ?, ?, ?)",
                (name, kind, time.time(), msgspec.json.encode(facts), owner),
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

    def works(self, kind: str, owner: str = "") -> list[Work]:
        """All work of a kind for an owner, the newest first."""
        return self._works("WHERE kind = ? AND owner = ?", (kind, owner))

    def unfinished(self) -> list[Work]:
        """Work that is not over, the oldest first."""
        marks = ", ".join("?" * len(OPEN))
        return self._works(f"WHERE state IN ({marks})", OPEN)[::-1]

    def move(
        self, name: str, state: str, *, was: Sequence[str] | None = None, **facts: Any
    ) -> Work:
        """Note a new state of work, and new facts of it; returns how it stands then.

        Args:
            name: The work.
            state: The new state.
            was: Only if it is in one of these.
            facts: Kept beside those that are known.
        """
        with self._open() as database:
            row = database.execute(
                "SELECT state, facts FROM works WHERE id = ?", (name,)
            ).fetchone()
            if row is not None and (was is None or row[0] in was):
                database.execute(
                    "UPDATE works SET state = ?, facts = ? WHERE id = ?",
                    (state, msgspec.json.encode(msgspec.json.decode(row[1]) | facts), name),
                )
        return self.work(name)

    def todo(self, name: str, after: int, most: int) -> list[tuple[int, bytes]]:
        """The next units after a number that have no result, with their numbers."""
        with self._open() as database:
            return database.execute(
                "SELECT number, input FROM units WHERE work = ? AND output IS NULL "
                "AND number > ? ORDER BY number LIMIT ?",
                (name, after, most),
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

    def outputs(self, name: str, *, ok: bool) -> Iterator[bytes]:
        """Results that went well, or those that did not, in order, one at a time."""
        number = -1
        while True:
            with self._open() as database:
                row = database.execute(
                    "SELECT number, output FROM units WHERE work = ? AND ok = ? "
                    "AND number > ? ORDER BY number LIMIT 1",
                    (name, int(ok), number),
                ).fetchone()
            if row is None:
                return
            number = row[0]
            yield row[1]

    # -- the database ------------------------------------------------------------------------

    def transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        """The database, alone, for what else is kept in it; see ``service.notes``.

        Raises:
            StelaeError: It cannot be used now.
        """
        return self._open()

    def _works(self, which: str, values: tuple[str, ...]) -> list[Work]:
        with self._open() as database:
            rows = database.execute(
                "SELECT works.id, kind, state, created, facts, owner, COUNT(units.number), "  # noqa: S608
                "COUNT(units.output), COALESCE(SUM(units.ok = 0), 0) "
                f"FROM works LEFT JOIN units ON units.work = works.id {which} "
                "GROUP BY works.id ORDER BY created DESC",
                values,
            ).fetchall()
        names = ("id", "kind", "state", "created", "facts", "owner", "total", "done", "failed")
        found = [dict(zip(names, row, strict=True)) for row in rows]
        return [Work(**row | {"facts": msgspec.json.decode(row["facts"])}) for row in found]

    def _forget_pieces(self, name: str) -> None:
        """Drop what there is of a file that could not be kept whole."""
        with suppress(StelaeError), self._open() as database:
            database.execute("DELETE FROM pieces WHERE file = ?", (name,))

    def _make_room(self) -> None:
        """Forget what is old.

        Raises:
            Conflict: The store is full all the same.
        """
        old = time.time() - self.keep_seconds
        over = f"created < ? AND state NOT IN ({', '.join(repr(state) for state in OPEN)})"
        with self._open() as database:
            gone = f"(SELECT id FROM works WHERE {over})"  # noqa: S608  # words of our own
            database.execute(f"DELETE FROM units WHERE work IN {gone}", (old,))  # noqa: S608
            database.execute(f"DELETE FROM works WHERE {over}", (old,))  # noqa: S608
            database.execute(
                "DELETE FROM pieces WHERE file IN (SELECT id FROM files WHERE created < ?)", (old,)
            )
            database.execute("DELETE FROM files WHERE created < ?", (old,))
            (pages,) = database.execute("PRAGMA page_count").fetchone()
            (free,) = database.execute("PRAGMA freelist_count").fetchone()
            (size,) = database.execute("PRAGMA page_size").fetchone()
        if (pages - free) * size > self.most_bytes:
            raise Conflict(
                f"the store holds {(pages - free) * size:,} bytes, over {self.most_bytes:,}",
                hint="delete files, or set store.bytes",
            )

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """The database, alone, in a transaction.

        Raises:
            Conflict: Another server uses the folder, or the disk is full.
            QueueFull: Another program uses the database at this moment.
            StelaeError: It cannot be read or written.
        """
        with self._lock:
            if self._over:
                raise ShuttingDown("the server stops and keeps nothing more", retry_after=1.0)
            try:
                database = self._database = self._database or self._connect()
                with database:
                    yield database
            except (sqlite3.Error, OSError) as error:
                raise _failure(error, self.folder) from error

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
        try:
            database = sqlite3.connect(
                self.folder / "store.sqlite", timeout=BUSY_SECONDS, check_same_thread=False
            )
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            database.executescript(SCHEMA)
            _add_owners(database)
            with database:  # what a server that was killed began to keep
                database.execute("DELETE FROM pieces WHERE file NOT IN (SELECT id FROM files)")
        except sqlite3.Error:
            claim.close()  # so that the next try is not told of another server
            raise
        self._claim = claim
        return database


def _add_owners(database: sqlite3.Connection) -> None:
    """Tell a database from before there were owners of them; what is in it is of nobody's key."""
    for table in OWNED:
        columns = [name for _, name, *_ in database.execute(f"PRAGMA table_info({table})")]
        if "owner" not in columns:
            database.execute(f"ALTER TABLE {table} ADD COLUMN owner TEXT NOT NULL DEFAULT ''")


def _file(row: tuple[Any, ...]) -> File:
    return File(**dict(zip(File.__struct_fields__, row, strict=True)))


def _failure(error: sqlite3.Error | OSError, folder: Path) -> StelaeError:
    """What a failure of the database means for who asked."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # above are its finer kinds
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return QueueFull(f"the store in {folder} is in use: {error}", retry_after=1.0)
    if code == sqlite3.SQLITE_FULL or getattr(error, "errno", 0) == errno.ENOSPC:
        return Conflict(
            f"there is no room on the disk of the store in {folder}",
            hint="delete files, or let store.folder name another place",
        )
    return StelaeError(
        f"the store in {folder} cannot be used: {error}", hint="store.folder names another place"
    )


def _cut(data: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of about ``PIECE``."""
    held: list[bytes] = []
    size = 0
    for part in data:
        for start in range(0, len(part), PIECE):
            held.append(part[start : start + PIECE])
            size += len(held[-1])
            if size >= PIECE:
                yield b"".join(held)
                held, size = [], 0
    if held:
        yield b"".join(held)
