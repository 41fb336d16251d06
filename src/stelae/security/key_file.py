"""Keys in a file: made and revoked by people, read by the running server; only their hashes."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import stat
import string
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec

from stelae.errors import InvalidInput, NotFound

FILE = "keys.json"
"""Name of the file, in the folder of the store."""

PREFIX = "stelae_"
LETTERS = string.ascii_letters + string.digits
LENGTH = 43
"""Letters after the prefix: 256 bits. So much is guessed by nobody, and a plain hash will do."""

LONGEST_NAME = 100

Mark = tuple[int, int, int]
"""What changes with a file: its node, its time and its size."""


class StoredKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key, without itself.

    Attributes:
        id: The first eight digits of the hash; the log names the key by them.
        name: What people call it.
        digest: SHA-256 of the key, in hexadecimal digits.
        created: Unix time.
    """

    id: str
    name: str
    digest: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    created: float


class _Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    keys: list[StoredKey]


class KeyFile:
    """The file with the keys of a server.

    It is replaced as a whole, so that a reader sees all of it or what was there before; several
    programs may write it. Once there, it stays: without keys in it nobody is let in.

    Args:
        path: Where it is; made with the first key.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._place = str(path)

    def mark(self) -> Mark | None:
        """What tells this state of the file from others; ``None`` if it is not there."""
        try:
            told = os.stat(self._place)  # noqa: PTH116  # a third of Path.stat, on every request
        except OSError:
            return None
        return told.st_ino, told.st_mtime_ns, told.st_size

    def stored(self) -> list[StoredKey]:
        """All keys, the oldest first; none if the file is not there.

        Raises:
            InvalidInput: It cannot be read, or others may write it.
        """
        try:
            with self.path.open("rb") as file:
                writable = os.fstat(file.fileno()).st_mode & (stat.S_IWGRP | stat.S_IWOTH)
                data = file.read()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise InvalidInput(f"the keys in {self.path} cannot be read: {error}") from error
        if writable:
            raise InvalidInput(
                f"the keys in {self.path} can be written by other users",
                hint=f"look at what is in it, then: chmod 600 {self.path}",
            )
        try:
            return msgspec.json.decode(data, type=_Content).keys
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidInput(f"the keys in {self.path} cannot be read: {error}") from error

    def create(self, name: str) -> tuple[str, StoredKey]:
        """Make a key.

        Args:
            name: What people call it; no other key has that name.

        Returns:
            The key, which is kept nowhere, and what is kept of it.

        Raises:
            InvalidInput: The name is taken or none, or the file cannot be read.
        """
        if not (name.isprintable() and 0 < len(name.strip()) <= LONGEST_NAME):
            raise InvalidInput(
                f"name={name[:LONGEST_NAME]!r}: give 1 to {LONGEST_NAME} printable characters",
                param="name",
            )
        with self._changing() as keys:
            if any(known.name == name for known in keys):
                raise InvalidInput(f"name={name!r}: there is a key of that name", param="name")
            key, stored = _made(name, {known.id for known in keys})
            self._write([*keys, stored])
        return key, stored

    def revoke(self, which: str) -> StoredKey:
        """Forget a key.

        Args:
            which: Its id or its name.

        Raises:
            NotFound: There is none.
            InvalidInput: The file cannot be read.
        """
        with self._changing() as keys:
            found = next((key for key in keys if which in (key.id, key.name)), None)
            if found is None:
                raise NotFound(
                    f"no key is called {which[:LONGEST_NAME]!r}", hint="stelae keys list"
                )
            self._write([key for key in keys if key is not found])
        return found

    @contextmanager
    def _changing(self) -> Iterator[list[StoredKey]]:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self.path.with_suffix(".lock").open("w") as claim:
            fcntl.flock(claim, fcntl.LOCK_EX)
            yield self.stored()

    def _write(self, keys: Sequence[StoredKey]) -> None:
        beside = self.path.with_suffix(".new")
        beside.unlink(missing_ok=True)
        made = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(made, "wb") as file:
            file.write(msgspec.json.encode(_Content(list(keys))))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.path)


def _made(name: str, taken: set[str]) -> tuple[str, StoredKey]:
    while True:
        key = PREFIX + "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
        digest = hashlib.sha256(key.encode()).hexdigest()
        if digest[:8] not in taken:
            return key, StoredKey(id=digest[:8], name=name, digest=digest, created=time.time())
