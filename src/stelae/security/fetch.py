"""Content that callers name by an address instead of sending it: fetched with care, or not.

Nothing is fetched and no file is opened unless the settings name hosts and folders. Then a
host is resolved once, each of its addresses is checked, and one that was checked is dialled,
so that a name cannot mean one place when it is checked and another when it is asked; each
redirect is checked again. No proxy, cookie or credential of the server is used.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import re
import socket
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from stelae.errors import InvalidInput
from stelae.security.addresses import is_private_host, is_public
from stelae.security.places import Hosts, Place, is_data, read_data, read_place, shown

if TYPE_CHECKING:
    import httpx

REDIRECTS = 3
"""Most redirects that are followed."""

AT_ONCE = 16
"""Most addresses fetched at the same time."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")
_MOVED = frozenset({301, 302, 303, 307, 308})
_VAGUE = frozenset({"", "application/octet-stream", "binary/octet-stream"})
"""Media types that say nothing of what is sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchRules:
    """What may be fetched.

    Attributes:
        hosts: Hosts that may be asked, as ``Hosts`` reads them; without any, none is.
        folders: Folders of which files may be read; without any, none is.
        most_bytes: Largest content taken.
        seconds: Time for one fetch, redirects included.
    """

    hosts: tuple[str, ...] = ()
    folders: tuple[Path, ...] = ()
    most_bytes: int = 20 * 1024**2
    seconds: float = 10.0


class Fetcher:
    """Fetches what callers name, within the rules.

    Args:
        rules: What may be fetched.
    """

    def __init__(self, rules: FetchRules | None = None) -> None:
        self.rules = rules or FetchRules()
        self._hosts = Hosts(self.rules.hosts)
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._folders = tuple(folder.resolve() for folder in self.rules.folders)

    async def fetch(self, uri: str, kind: str = "image") -> bytes:
        """The content at an address.

        Args:
            uri: A data URI, an ``http(s)`` address, or the path of a file.
            kind: Kind of media expected, the first part of its media type.

        Raises:
            InvalidInput: It may not be fetched, is not there, is too large, took too long
                or is of another kind.
        """
        if is_data(uri):
            return read_data(uri, self.rules.most_bytes)
        scheme = _SCHEME.match(uri)
        if scheme is not None and scheme[1].lower() != "file":
            async with self._turns:
                return await self._fetch_url(uri, kind)
        return await asyncio.to_thread(self._read_file, uri)

    async def _fetch_url(self, uri: str, kind: str) -> bytes:
        place = read_place(uri)
        if not self._hosts:
            raise InvalidInput(
                f"{shown(uri)}: this server does not fetch addresses",
                param="uri",
                hint="send the bytes themselves, or name hosts in the setting fetch.hosts",
            )
        try:
            async with asyncio.timeout(self.rules.seconds):
                return await self._follow(place, kind)
        except TimeoutError as error:
            raise _failed(uri, f"took longer than {self.rules.seconds:g} s") from error
        except (_httpx().HTTPError, OSError) as error:
            raise _failed(uri, f"could not be fetched ({type(error).__name__})") from error

    async def _follow(self, place: Place, kind: str) -> bytes:
        # trust_env: no proxy, .netrc or certificate of the environment.
        async with _httpx().AsyncClient(trust_env=False, timeout=self.rules.seconds) as client:
            for _ in range(REDIRECTS + 1):
                answer = await self._get(client, place)
                try:
                    if answer.status_code not in _MOVED:
                        return await self._content(answer, place, kind)
                    place = read_place(answer.headers.get("location", ""), base=place)
                finally:
                    await answer.aclose()
        raise _failed(place.url, f"was reached by more than {REDIRECTS} redirects")

    async def _get(self, client: httpx.AsyncClient, place: Place) -> httpx.Response:
        address = await self._checked(place)
        host = f"[{address}]" if ":" in address else address
        scheme = "https" if place.secure else "http"
        name = place.url.split("/", 3)[2]
        request = client.build_request(
            "GET",
            f"{scheme}://{host}:{place.port}{place.target}",
            headers={"host": name, "accept": "*/*", "accept-encoding": "identity"},
            extensions={"sni_hostname": place.host},
        )
        return await client.send(request, stream=True, follow_redirects=False)

    async def _checked(self, place: Place) -> str:
        """The address to dial: the first of the host's, all of which may be asked."""
        fits = is_private_host if self._hosts.admit(place) else is_public
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
        addresses = [str(entry[4][0]) for entry in found]
        if not addresses or not all(map(fits, addresses)):
            raise _failed(
                place.url,
                "leads to an address that callers may not be sent to",
                "only public addresses are fetched, and hosts that fetch.hosts names in full",
            )
        return addresses[0]

    async def _content(self, answer: httpx.Response, place: Place, kind: str) -> bytes:
        if answer.status_code != 200:
            raise _failed(place.url, f"answered with status {answer.status_code}")
        media = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media not in _VAGUE and media.partition("/")[0] != kind:
            raise _failed(place.url, f"is {shown(media)}, not {kind}/*")
        if answer.headers.get("content-encoding", "identity").lower() != "identity":
            raise _failed(place.url, "came compressed, which was not asked for")
        claimed = answer.headers.get("content-length", "0")
        self._bound(place.url, int(claimed) if claimed.isdigit() else 0)
        content = bytearray()
        async for piece in answer.aiter_raw():
            content += piece
            self._bound(place.url, len(content))
        return bytes(content)

    def _bound(self, name: str, size: int) -> None:
        if size > self.rules.most_bytes:
            raise _failed(
                name,
                f"has {size} bytes or more; {self.rules.most_bytes} are taken",
                "send something smaller, or raise the setting fetch.bytes",
            )

    def _read_file(self, uri: str) -> bytes:
        path = self._file(uri)
        try:
            # Without waiting: a pipe would keep the thread until somebody writes.
            handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(handle, "rb") as file:
                about = os.fstat(handle)
                if not stat.S_ISREG(about.st_mode):
                    raise _failed(uri, "is not a file")
                self._bound(uri, about.st_size)
                return file.read(self.rules.most_bytes)
        except OSError as error:
            raise _failed(uri, f"cannot be read ({error.strerror})") from error

    def _file(self, uri: str) -> Path:
        if "\x00" in uri:
            raise _failed(uri, "is not a path")
        path = Path(_path_of(uri))
        for folder in self._folders:
            found = Path(os.path.realpath(folder / path))
            if found.is_relative_to(folder) and (path.is_absolute() or found.exists()):
                return found
        raise InvalidInput(
            f"{shown(uri)}: this server opens no such file for callers",
            param="uri",
            hint="send the bytes themselves, or name its folder in the setting fetch.folders",
        )


@cache
def _httpx() -> ModuleType:
    """The HTTP client; a server that fetches nothing starts without it."""
    return importlib.import_module("httpx")


def _path_of(uri: str) -> str:
    if uri[:5].lower() != "file:":
        return uri
    parts = urlsplit(uri)
    if parts.netloc not in {"", "localhost"}:
        raise _failed(uri, "names another machine")
    return unquote(parts.path)


def _failed(uri: str, why: str, hint: str | None = None) -> InvalidInput:
    return InvalidInput(f"{shown(uri)} {why}", param="uri", hint=hint)


def rules_of(
    hosts: Iterable[str], folders: Iterable[Path], most_bytes: int, seconds: float
) -> FetchRules:
    """The rules that settings state.

    Raises:
        InvalidInput: A folder is not one.
    """
    places = tuple(folders)
    for folder in places:
        if not folder.is_dir():
            raise InvalidInput(f"fetch.folders: '{folder}' is not a folder", param="fetch.folders")
    return FetchRules(hosts=tuple(hosts), folders=places, most_bytes=most_bytes, seconds=seconds)
