"""What a page of somebody else may make a browser on this machine ask of the server.

A server without keys that listens on loopback trusts whoever reaches it. A web
page reaches it too, through the browser of the person who opens it: by a form or
a request across origins, or by a name that its owner points at 127.0.0.1 (DNS
rebinding). Both show in headers that a page cannot choose: ``Origin`` and ``Host``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from stelae.errors import Forbidden
from stelae.security.keys import Headers, KeyRing

_HERE = re.compile(rb"(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])\.?(?::\d+)?", re.IGNORECASE)
_SCHEME = re.compile(rb"^https?://", re.IGNORECASE)


LONGEST_HOST = 256
"""Bytes of a host up to which it is remembered."""


class BrowserGuard:
    """Refuses what only a foreign page would send; without effect where keys are asked for.

    Args:
        listen: Addresses served on, such as ``http://127.0.0.1:8080``.
        keys: Those that are asked for, if there are any.
        origins: Those whose pages may ask all the same; ``*`` stands for every one.
    """

    def __init__(
        self, listen: Iterable[str], keys: KeyRing, *, origins: Iterable[str] = ()
    ) -> None:
        self._welcome = frozenset(origin.encode() for origin in origins)
        addresses = [address.encode() for address in listen]
        self._keys = keys
        self._here = bool(addresses) and all(map(_is_here, addresses))

    def admit(self, headers: Headers) -> None:
        """Check where a request says it comes from and whom it means.

        Raises:
            Forbidden: ``Host`` or ``Origin`` name something else than this machine.
        """
        if self._here and not self._keys:
            self.check(headers)

    def check(self, headers: Headers) -> None:
        """Check a request to a server that asks for no keys now.

        Raises:
            Forbidden: As for ``admit``.
        """
        if not self._here:
            return
        for name, value in headers:
            if name == b"host" and not _is_host(value):
                raise _forbidden("Host", value)
            if name == b"origin" and not (_is_here(value) or self._is_welcome(value)):
                raise _forbidden("Origin", value)

    def admit_socket(self, headers: Headers) -> None:
        """Check a WebSocket too: a browser lets every page read what comes on one.

        Raises:
            Forbidden: As for ``admit``, or ``Origin`` is not the address that was asked.
        """
        self.admit(headers)
        if self._keys:
            return
        host = _host(headers)
        for name, value in headers:
            if name != b"origin" or self._is_welcome(value):
                continue
            if _SCHEME.sub(b"", value) != host:
                raise Forbidden(
                    f"Origin: {_shown(value)} is not the address that was asked",
                    hint="open it from a page of that address, name the origin in cors.origins, "
                    "or set api_keys",
                )

    def _is_welcome(self, origin: bytes) -> bool:
        return origin in self._welcome or b"*" in self._welcome


def _host(headers: Headers) -> bytes | None:
    return next((value for name, value in headers if name == b"host"), None)


@lru_cache(256)
def _is_known(host: bytes) -> bool:
    return bool(_HERE.fullmatch(host))


def _is_host(value: bytes) -> bool:
    """Whether a host is this machine; those seen lately are remembered."""
    return (_is_known if len(value) <= LONGEST_HOST else _is_known.__wrapped__)(value)


def _is_here(address: bytes) -> bool:
    return bool(_HERE.fullmatch(_SCHEME.sub(b"", address)))


def _forbidden(header: str, value: bytes) -> Forbidden:
    return Forbidden(
        f"{header}: {_shown(value)} is not this machine, and the server is open on loopback only",
        hint="ask by 127.0.0.1 or localhost, or set api_keys to serve under other names",
    )


def _shown(value: bytes) -> str:
    return repr(value[:100].decode("ascii", "backslashreplace"))
