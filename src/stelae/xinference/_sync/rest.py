# Generated from src/stelae/xinference/_async/rest.py by tools/unasync.py: do not edit.
"""Asks a server of Xinference's protocol."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from stelae.client import _errors, _transport
from stelae.client._errors import Answer
from stelae.wire.lines import Lines
from stelae.xinference import _answers, _asks
from stelae.xinference._asks import Ask
from stelae.xinference.errors import renamed

if TYPE_CHECKING:
    import httpx

log = logging.getLogger("stelae.xinference")

IGNORED = "x-stelae-ignored"
"""Header with the names of arguments that mean nothing to the server."""

HEADERS = {"accept": "*/*"}

PIECE = 1024
"""Bytes of a piece of sound."""


class Rest:
    """The connections to one server.

    They are opened by the first request, and anew by one that comes after ``close``, so that
    handles may outlive the client that made them.

    Attributes:
        address: Of the server.
        headers: Sent with all requests; handles made of a client share it.

    Args:
        url: Address of the server.
        headers: Those of the client.

    Raises:
        XinferenceError: The address is none.
    """

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        with renamed("Failed to connect"):
            self.address = _errors.base_url(url)
        self.headers = headers
        self._http: httpx.Client | None = None
        self._noted: set[tuple[str, str]] = set()

    def value(self, ask: Ask) -> Any:
        """What a request is answered with, read from JSON.

        Raises:
            XinferenceError: The server refuses it, or cannot be reached.
        """
        response = self._sent(ask)
        with renamed(ask.what):
            return _answers.value(_answer(response, self._rest_of(response)))

    def data(self, ask: Ask) -> bytes:
        """The same as it comes."""
        response = self._sent(ask)
        with renamed(ask.what):
            return self._rest_of(response)

    def events(self, ask: Ask) -> Generator[dict[str, Any]]:
        """The pieces of an answer; it has begun when this returns."""
        return self._events(ask, self._sent(ask))

    def pieces(self, ask: Ask) -> Generator[bytes]:
        """The same as bytes, ``PIECE`` at a time."""
        return self._pieces(ask, self._sent(ask))

    def close(self) -> None:
        """Close the connections."""
        http, self._http = self._http, None
        if http is not None:
            http.close()

    def _events(self, ask: Ask, response: httpx.Response) -> Generator[dict[str, Any]]:
        lines = Lines()
        with renamed(ask.what), _transport.told(self.address, None):
            with closing(response):
                for data in response.iter_bytes():
                    for line in lines.add(data):
                        if (piece := _answers.piece(line)) is not None:
                            yield piece
                for line in lines.add(b"\n"):
                    if (piece := _answers.piece(line)) is not None:
                        yield piece

    def _pieces(self, ask: Ask, response: httpx.Response) -> Generator[bytes]:
        with renamed(ask.what), _transport.told(self.address, None):
            with closing(response):
                for data in response.iter_bytes(PIECE):
                    yield data

    def _sent(self, ask: Ask) -> httpx.Response:
        import httpx  # takes as long to import as all the rest

        if self._http is None:
            self._http = httpx.Client(
                limits=httpx.Limits(**_transport.LIMITS), **_transport.security(self.address)
            )
        made = _asks.content(ask)
        headers = _transport.identity(None) | HEADERS | self.headers | made.pop("headers", {})
        with renamed(ask.what), _transport.told(self.address, None):
            request = self._http.build_request(
                ask.method,
                self.address + ask.path,
                headers=headers,
                timeout=httpx.Timeout(None, connect=_transport.CONNECT_SECONDS),
                **made,
            )
            response = self._http.send(request, stream=True)
            if response.status_code != ask.good:
                raise _answers.refusal(ask, _answer(response, response.read()))
        self._note(ask, response)
        return response

    def _note(self, ask: Ask, response: httpx.Response) -> None:
        """Tell once of arguments that the server has no use for."""
        names = response.headers.get(IGNORED)
        if names and (ask.path, names) not in self._noted:
            self._noted.add((ask.path, names))
            log.warning("%s: the server has no use for %s", ask.path, names)

    def _rest_of(self, response: httpx.Response) -> bytes:
        with _transport.told(self.address, None):
            return response.read()


def _answer(response: httpx.Response, body: bytes) -> Answer:
    return Answer(str(response.url), response.status_code, response.headers, body)
