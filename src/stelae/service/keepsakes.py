"""What the server remembers until somebody takes it back: small documents by kind and name."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from sqlite3 import Connection

from stelae.errors import Conflict, QueueFull, StelaeError
from stelae.service.store import Store
from stelae.telemetry.log import get

log = get()

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS keepsakes (kind TEXT, name TEXT, created REAL, data BLOB, "
    "PRIMARY KEY (kind, name))"
)

AGAIN_SECONDS, LOOKS = 5.0, 24
"""Time between two looks at a store that the server before still uses, and how many there are."""


class Keepsakes:
    """The documents of one kind in a store; unlike notes they do not grow old.

    Methods other than ``read`` block; call them in a thread.

    Args:
        store: Keeps them.
        kind: What they are.
    """

    def __init__(self, store: Store, kind: str) -> None:
        self._store, self._kind = store, kind

    def keep(self, name: str, data: bytes) -> None:
        """Keep a document, in place of the one of that name.

        Raises:
            StelaeError: The store cannot be used now; see ``Store``.
        """
        with self._open() as database:
            database.execute(
                "INSERT INTO keepsakes VALUES (?, ?, ?, ?) "
                "ON CONFLICT (kind, name) DO UPDATE SET data = excluded.data",
                (self._kind, name, time.time(), data),
            )

    def drop(self, name: str) -> None:
        """Forget a document; unknown names are let be.

        Raises:
            StelaeError: The store cannot be used now.
        """
        if not self._store.exists:
            return
        with self._open() as database:
            database.execute(
                "DELETE FROM keepsakes WHERE kind = ? AND name = ?", (self._kind, name)
            )

    def all(self) -> list[tuple[str, bytes]]:
        """Names and documents, the oldest first; none where the store was never used.

        Raises:
            StelaeError: The store cannot be used now.
        """
        if not self._store.exists:
            return []
        with self._open() as database:
            return database.execute(
                "SELECT name, data FROM keepsakes WHERE kind = ? ORDER BY created, name",
                (self._kind,),
            ).fetchall()

    async def read(self) -> list[tuple[str, bytes]] | None:
        """The same, from an event loop; none either where the store cannot be used.

        Returns:
            ``None`` while another server uses the store, perhaps the one before.
        """
        try:
            return await asyncio.to_thread(self.all)
        except (Conflict, QueueFull):
            return None
        except StelaeError as error:  # no reason not to answer other calls
            log.warning("store_unread", what=self._kind, error=str(error))
            return []

    @contextmanager
    def _open(self) -> Iterator[Connection]:
        with self._store.transaction() as database:
            database.execute(SCHEMA)
            yield database
