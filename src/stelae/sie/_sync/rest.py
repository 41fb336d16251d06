# Generated from src/stelae/sie/_async/rest.py by tools/unasync.py: do not edit.
"""Asks a server at SIE's own paths."""

from __future__ import annotations

from typing import Any

from stelae.client import _errors, _transport
from stelae.sie import _rest
from stelae.sie.errors import renamed


class Rest:
    """One connection pool for what SIE's protocol has and ours has not.

    Attributes:
        address: Of the server.

    Args:
        url: Address of the server.
        api_key: Key to show to it.
        timeout: Seconds for one request.
    """

    def __init__(self, url: str, api_key: str | None, timeout: float | None) -> None:
        import httpx  # takes as long to import as all the rest

        self.address = _errors.base_url(url)
        self._headers = _transport.identity(api_key) | _rest.HEADERS
        self._timeout = timeout
        self._http = httpx.Client(**_transport.security(self.address))

    def ask(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        query: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The object that a path answers with.

        Raises:
            SIEError: The server cannot be reached, or refuses it.
        """
        sent = None if body is None else _rest.written(body)
        answer = self.raw(method, path, sent, query)
        with renamed():
            return _rest.read(self.address + path, answer)

    def raw(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        query: dict[str, Any] | None = None,
        form: str = _errors.JSON,
    ) -> bytes:
        """What a path answers with, as it comes.

        Raises:
            SIEError: The server cannot be reached, or refuses it.
        """
        told = self._headers | _transport.headers(self._timeout, form if body else None)
        return self._sent(method, self.address + path, told, body, query)

    def shown(self, url: str) -> bytes:
        """What lies at an address that a server told; the key is not shown there."""
        return self._sent("GET", url, {"accept": "application/octet-stream"}, None, None)

    def stream(self, path: str, body: bytes, more: dict[str, str], timeout: float | None) -> Any:
        """An answer whose body is read as it comes: a context of the HTTP library."""
        import httpx

        connect = _transport.connect_seconds(timeout)
        told = self._headers | _transport.headers(timeout, _errors.JSON)
        return self._http.stream(
            "POST",
            self.address + path,
            content=body,
            headers=told | more,
            timeout=httpx.Timeout(timeout, connect=connect),
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _sent(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        body: bytes | None,
        query: dict[str, Any] | None,
    ) -> bytes:
        import httpx

        connect = _transport.connect_seconds(self._timeout)
        with renamed(), _transport.told(self.address, self._timeout):
            response = self._http.request(
                method,
                url,
                content=body,
                params=_rest.query_of(query or {}) or None,
                headers=headers,
                timeout=httpx.Timeout(self._timeout, connect=connect),
            )
        if response.status_code >= _rest.REFUSED:
            wait = response.headers.get("retry-after")
            raise _rest.refusal(url, response.status_code, response.content, wait)
        return response.content
