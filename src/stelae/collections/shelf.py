"""All collections of a server, in one folder."""

from __future__ import annotations

import fcntl
import re
import threading
from pathlib import Path
from typing import IO

from stelae.collections.collection import Collection
from stelae.collections.documents import Facts
from stelae.errors import Conflict, InvalidInput, NotFound, ShuttingDown, StelaeError
from stelae.types import CollectionInfo

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

ENDING = ".collection"


class Shelf:
    """Collections by name; each is opened when it is first asked for. Methods block.

    Args:
        folder: Made when the first collection is. One server at a time may use it.
        most_bytes: Size of all files from which on nothing more is taken.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self.folder = folder
        self.most_bytes = most_bytes
        self._lock = threading.Lock()
        self._open: dict[str, Collection] = {}
        self._claim: IO[str] | None = None
        self._over = False

    def get(self, name: str) -> Collection:
        """A collection.

        Raises:
            NotFound: There is none of that name.
            Conflict: Another server uses the folder.
            StelaeError: It cannot be used.
        """
        with self._lock:
            found = self._find(name)
        if found is None:
            there = ", ".join(self.names()[:20]) or "none yet"
            raise NotFound(
                f"there is no collection {ascii(name)[:80]}",
                param="collection",
                hint=f"index something into it first; there are: {there}",
            )
        return found

    def made(self, name: str, facts: Facts) -> Collection:
        """A collection, which is made if need be.

        Raises:
            InvalidInput: It cannot be called that.
            Conflict: It is of another model, the folder is full, or another server uses it.
            StelaeError: It cannot be used.
        """
        if not NAME.fullmatch(name):
            raise InvalidInput(
                f"a collection cannot be called {ascii(name)[:80]}",
                param="collection",
                hint="1 to 64 letters, digits, '.', '_' and '-', a letter or digit first",
            )
        self._make_room()
        with self._lock:
            found = self._find(name)
            if found is None:
                self._claim_folder()
                found = self._open[name] = Collection(self._path(name), facts)
        found.check(facts.fingerprint, facts.dimensions)
        return found

    def names(self) -> list[str]:
        """Of all collections, in order."""
        return sorted(path.stem for path in self.folder.glob(f"*{ENDING}"))

    def infos(self) -> list[CollectionInfo]:
        """How all collections stand."""
        return [self.get(name).info() for name in self.names()]

    def delete(self, name: str) -> CollectionInfo:
        """Forget a collection, and tell how it stood.

        Raises:
            NotFound: There is none of that name.
        """
        found = self.get(name)
        info = found.info()
        with self._lock:
            self._open.pop(name, None)
            found.delete()
        return info

    def close(self) -> None:
        """Save all, and let the folder go, for good."""
        with self._lock:
            self._over = True
            try:
                while self._open:
                    self._open.popitem()[1].close()
            finally:
                if self._claim is not None:
                    self._claim.close()

    def _find(self, name: str) -> Collection | None:
        if self._over:
            raise ShuttingDown("the server stops", retry_after=1.0)
        if name in self._open:
            return self._open[name]
        if not NAME.fullmatch(name) or not self._path(name).is_file():
            return None
        self._claim_folder()
        return self._open.setdefault(name, Collection(self._path(name)))

    def _path(self, name: str) -> Path:
        # Not `with_suffix`: a name may hold dots.
        return self.folder / f"{name}{ENDING}"

    def _make_room(self) -> None:
        used = sum(path.stat().st_size for path in self.folder.glob("*") if path.is_file())
        if used > self.most_bytes:
            raise Conflict(
                f"the collections hold {used:,} bytes, over {self.most_bytes:,}",
                hint="delete some, or set store.bytes",
            )

    def _claim_folder(self) -> None:
        if self._claim is not None:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            claim = (self.folder / "collections.lock").open("w")
        except OSError as error:
            raise StelaeError(
                f"collections cannot be kept in {self.folder}: {error.strerror}",
                hint="store.folder names another place",
            ) from error
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            claim.close()
            raise Conflict(
                f"another server uses the collections in {self.folder}",
                hint="store.folder gives this one a place of its own",
            ) from error
        self._claim = claim
