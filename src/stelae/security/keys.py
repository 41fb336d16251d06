"""API keys: kept as hashes, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence

from stelae.errors import Unauthorized

Headers = Sequence[tuple[bytes, bytes]]
"""Raw request headers, names in lower case."""


class KeyRing:
    """The keys that open the server; without any it stands open."""

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self._digests = tuple(_digest(key.encode()) for key in keys)

    def __bool__(self) -> bool:
        return bool(self._digests)

    def find(self, presented: bytes) -> str | None:
        """Name the key that equals ``presented``: the start of its hash, or ``None``.

        Every key is compared, so the time taken tells nothing.
        """
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
        found = [self.find(key) for key in shown if key is not None]
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
