"""Addresses that callers send, read strictly, and the hosts that may be asked."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes, urljoin, urlsplit

from stelae.errors import InvalidInput

PORTS = {"http": 80, "https": 443}
"""Schemes that are fetched, and their ports."""

LONGEST = 8192
"""Most characters of an address that is not a data URI."""

SHOWN = 100
"""Characters of an address that a message repeats."""

_UNSAFE = re.compile(r"[\x00-\x20\x7f-\U0010ffff\\<>\"{}|^`]")
_HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")
_DATA = re.compile(r"data:(?P<media>[^,;]*)(?P<options>(?:;[^,;]*)*),", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Place:
    """An address on the web.

    Attributes:
        secure: Whether it is asked by TLS.
        host: Name or address, in lower case, without a dot at its end.
        port: Where on the host.
        target: Path and query, as they are sent.
    """

    secure: bool
    host: str
    port: int
    target: str

    @property
    def url(self) -> str:
        """The address as text."""
        scheme, host = ("https" if self.secure else "http"), self.host
        shown = f"[{host}]" if ":" in host else host
        port = "" if PORTS[scheme] == self.port else f":{self.port}"
        return f"{scheme}://{shown}{port}{self.target}"


class Hosts:
    """Hosts that may be asked.

    Args:
        patterns: ``example.com``, ``*.example.com`` for all names below it, ``*`` for every
            public host; with ``:PORT`` for another port than the scheme's own. Those
            named in full may lie in a private network, the others may not.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns = [_pattern(text) for text in patterns]

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def admit(self, place: Place) -> bool:
        """Whether a place is allowed to lie in a private network.

        Raises:
            InvalidInput: It may not be asked at all.
        """
        fitting = [host for host, port in self._patterns if _fits(place, host, port)]
        if not fitting:
            raise InvalidInput(
                f"'{place.host}:{place.port}' is not among the hosts that this server fetches from",
                param="uri",
                hint="send the bytes themselves, or add the host to the setting fetch.hosts",
            )
        return place.host in fitting


def read_place(text: str, base: Place | None = None) -> Place:
    """Read an address of the web, refusing what two readers could read in two ways.

    Args:
        text: As the caller wrote it.
        base: The place that named it, for redirects.

    Raises:
        InvalidInput: It is not a plain ``http`` or ``https`` address.
    """
    if len(text) > LONGEST:
        raise _wrong(text, f"has {len(text)} characters, more than {LONGEST}")
    if _UNSAFE.search(text):
        raise _wrong(text, "holds characters that an address must write as %XX")
    try:
        parts = urlsplit(text if base is None else urljoin(base.url, text))
        scheme, host, port = parts.scheme.lower(), parts.hostname or "", parts.port
    except ValueError as error:
        raise _wrong(text, str(error)) from error
    if scheme not in PORTS:
        raise _wrong(text, "is not an http or https address")
    if "@" in parts.netloc:
        raise _wrong(text, "names a user, which is not sent")
    if not _HOST.fullmatch(f"[{host}]" if ":" in host else host):
        raise _wrong(text, "has no host, or one that is not written in ASCII")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Place(scheme == "https", host.rstrip("."), port or PORTS[scheme], target)


def is_data(text: str) -> bool:
    """Whether an address holds its own content."""
    return text[:5].lower() == "data:"


def read_data(text: str, most_bytes: int) -> bytes:
    """The content of a data URI.

    Args:
        text: ``data:[media][;base64],CONTENT``.
        most_bytes: Longest content taken.

    Raises:
        InvalidInput: It is not one, or is too large.
    """
    head = _DATA.match(text)
    if head is None:
        raise _wrong(text, "is not a data URI: 'data:image/png;base64,...'")
    if (size := len(text) - head.end()) > 2 * most_bytes:
        raise _too_large(size, most_bytes)
    if "base64" in head["options"].lower().split(";"):
        content = _decoded(text, head.end())
    else:
        content = unquote_to_bytes(text[head.end() :])
    if len(content) > most_bytes:
        raise _too_large(len(content), most_bytes)
    return content


def shown(text: str) -> str:
    """The start of an address, safe to print."""
    return ascii(text if len(text) <= SHOWN else f"{text[:SHOWN]}...")


def _decoded(text: str, start: int) -> bytes:
    try:
        return binascii.a2b_base64("".join(text[start:].split()), strict_mode=True)
    except (binascii.Error, ValueError) as error:
        raise _wrong(text, f"does not hold base64: {error}") from error


def _pattern(text: str) -> tuple[str, int | None]:
    host, colon, port = text.strip().lower().rpartition(":")
    if not colon or host.endswith(":") or not port.isdigit():
        host, port = text.strip().lower(), ""
    return host.strip("[]").rstrip("."), int(port) if port else None


def _fits(place: Place, host: str, port: int | None) -> bool:
    if port is None and place.port != PORTS["https" if place.secure else "http"]:
        return False
    if port is not None and place.port != port:
        return False
    if host == "*":
        return True
    return place.host == host or (host.startswith("*.") and place.host.endswith(host[1:]))


def _wrong(text: str, why: str) -> InvalidInput:
    return InvalidInput(
        f"{shown(text)} {why}",
        param="uri",
        hint="send an http(s) address, a data URI, or the bytes themselves",
    )


def _too_large(size: int, most: int) -> InvalidInput:
    return InvalidInput(
        f"the content has {size} bytes, more than the {most} that are taken",
        param="uri",
        hint="send something smaller, or raise the setting fetch.bytes",
    )
