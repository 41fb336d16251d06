"""API keys: kept as hashes, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Sequence

from stelae.errors import InvalidInput, Unauthorized
from stelae.security.key_file import KeyFile

Headers = Sequence[tuple[bytes, bytes]]
"""Raw request headers, names in lower case."""


class KeyRing:
    """The keys that open the server; without any, and without a file of keys, it stands open.

    The file is read anew whenever it has changed. A server that has seen one never opens
    again by itself: with a file that is empty, gone or broken, nobody new is let in.

    Args:
        keys: Those of the settings.
        file: The file of keys.
        told: Called with why the file cannot be read, each time it has changed.

    Raises:
        InvalidInput: The file cannot be read.
    """

    def __init__(
        self,
        keys: Iterable[str] = (),
        file: KeyFile | None = None,
        told: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self._fixed = tuple(_digest(key.encode()) for key in keys)
        self._digests = self._fixed
        self._file = file
        self._mark = None if file is None else file.mark()
        self._told = told
        self._needed = bool(self._fixed) or self._mark is not None
        if file is not None:
            self._take(file)

    def __bool__(self) -> bool:
        self._follow()
        return self._needed

    @property
    def needed(self) -> bool:
        """Whether a key must be shown, as the file was when it was last looked at."""
        return self._needed

    def _follow(self) -> None:
        if self._file is None or (mark := self._file.mark()) == self._mark:
            return
        self._mark, self._needed = mark, True
        try:
            self._take(self._file)
        except InvalidInput as error:
            self._told(error.message)

    def _take(self, file: KeyFile) -> None:
        self._digests = (*self._fixed, *(bytes.fromhex(key.digest) for key in file.stored()))

    def find(self, presented: bytes) -> str | None:
        """Name the key that equals ``presented``: the start of its hash, or ``None``.

        Every key is compared, so the time taken tells nothing.
        """
        self._follow()
        return self._found(presented)

    def _found(self, presented: bytes) -> str | None:
        digest = _digest(presented)
        found = None
        for known in self._digests:
            if hmac.compare_digest(known, digest):
                found = known[:4].hex()
        return found

    def admit(self, headers: Headers) -> str | None:
        """Check the key that a request shows.

        It may stand in ``Authorization: Bearer KEY``, in ``X-API-Key: KEY``, or alone in
        ``Authorization``, as CLIP's clients send it.

        Returns:
            The key's name for the log, or ``None`` if the server is open.

        Raises:
            Unauthorized: No key, an unknown key, or several headers of one name.
        """
        if not self:
            return None
        shown = [_shown(name, value) for name, value in headers if name in _PLACES]
        if not shown:
            raise Unauthorized(
                "this server needs an API key and the request shows none",
                hint="send the header 'Authorization: Bearer KEY'",
            )
        names = [name for name, _ in headers if name in _PLACES]
        found = [self._found(key) for key in shown if key is not None]
        name = next((f for f in found if f is not None), None)
        if name is None or len(names) != len(set(names)):
            raise Unauthorized("the API key shown is not known here")
        return name


_PLACES = frozenset({b"authorization", b"x-api-key"})


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def _shown(name: bytes, value: bytes) -> bytes | None:
    if name == b"x-api-key":
        return value.strip()
    scheme, _, key = value.strip().partition(b" ")
    if scheme.lower() == b"bearer":
        return key.strip()
    return None if key else scheme
