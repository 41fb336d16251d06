"""Pictures where their addresses say: in files, behind web addresses, in data URIs."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from stelae.errors import InvalidInput
from stelae.wire import data_uri

if TYPE_CHECKING:
    import httpx

SECONDS = 30.0
"""How long a web address may take, unless told otherwise."""

MAX_BYTES = 256 * 2**20
"""A file behind a web address that is larger is not read."""

WEB = ("http://", "https://")


def is_picture(text: str) -> bool:
    """Whether a string is where a picture is, rather than a sentence.

    It is if its ending, or the head of a data URI, is that of a kind of picture, and if it is a web
    address.
    """
    if text.lower().startswith(WEB):
        return not any(letter.isspace() for letter in text)
    kind = mimetypes.guess_type(text)[0]
    return kind is not None and kind.startswith("image/")


def read(uri: str, timeout: float | None = None) -> bytes:
    """The bytes at an address.

    Args:
        uri: A path, an address (``http``, ``https``, ``file``) or a data URI.
        timeout: Seconds that a web address may take to go on.

    Raises:
        InvalidInput: There is nothing to be read.
    """
    if data_uri.is_data(uri):
        return data_uri.content(uri)
    scheme = uri[:8].lower().partition(":")[0]
    if scheme in ("http", "https"):
        return _fetched(uri, SECONDS if timeout is None else timeout)
    path = unquote(urlsplit(uri).path) if scheme == "file" else uri
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InvalidInput(f"{path!r:.200} cannot be read: {reason}", param="uri") from error


def _fetched(uri: str, timeout: float) -> bytes:
    import httpx  # takes longer to load than all else here, and most pictures are files

    try:
        with httpx.stream("GET", uri, timeout=timeout, follow_redirects=True) as answer:
            answer.raise_for_status()
            return _bounded(answer, uri)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise InvalidInput(f"{uri!r:.200} cannot be fetched: {error}", param="uri") from error


def _bounded(answer: httpx.Response, uri: str) -> bytes:
    parts = bytearray()
    for part in answer.iter_bytes():
        parts += part
        if len(parts) > MAX_BYTES:
            raise InvalidInput(f"{uri!r:.200} is larger than {MAX_BYTES} bytes", param="uri")
    return bytes(parts)
