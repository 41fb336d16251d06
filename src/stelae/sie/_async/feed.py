"""Listens to a feed of a server."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from typing import Any

import msgspec

from stelae.client import _errors, _transport
from stelae.errors import ProtocolError
from stelae.sie._feeds import SILENCE_SECONDS, SWITCHING, refused
from stelae.wire.websocket import CLOSE, GOOD_CLOSES, Handshake, Listening, frame

READ = 1 << 16
"""Bytes read at once."""


class AsyncFeed:
    """A server's feeds.

    Args:
        url: Address of the server.
        api_key: Key to show to it.
    """

    def __init__(self, url: str, api_key: str | None) -> None:
        self._address = _errors.base_url(url)
        self._headers = _transport.identity(api_key)

    async def messages(self, path: str) -> AsyncGenerator[dict[str, Any]]:
        """What is told at a path, until the server says goodbye.

        Raises:
            RequestError: The server refuses it.
            ServerUnreachable: No server answers, or it is silent.
            ProtocolError: What it says is no feed.
        """
        import httpcore  # what HTTP connections are made of; its errors are seen below
        import httpx

        asked = Handshake()
        kept = httpx.Timeout(SILENCE_SECONDS, connect=_transport.CONNECT_SECONDS)
        try:
            async with (
                httpx.AsyncClient(**_transport.security(self._address), timeout=kept) as http,
                http.stream(
                    "GET", self._address + path, headers=self._headers | asked.headers
                ) as answer,
            ):
                if answer.status_code != SWITCHING:
                    raise refused(answer.status_code, await answer.aread())
                asked.check(answer.headers.get("sec-websocket-accept"))
                async for message in self._heard(answer.extensions["network_stream"]):
                    yield message
        except (httpx.TransportError, httpcore.NetworkError, httpcore.TimeoutException) as error:
            said = str(error) or type(error).__name__
            raise _errors.unreachable(self._address, said) from error

    async def _heard(self, stream: Any) -> AsyncGenerator[dict[str, Any]]:
        import httpcore

        listening = Listening()
        try:
            while listening.code is None:
                data = await stream.read(READ, timeout=SILENCE_SECONDS)
                if not data:
                    raise _errors.unreachable(self._address, "it left without a goodbye")
                for message in listening.take(data):
                    yield _read(message)
                if listening.reply:
                    await stream.write(listening.reply, timeout=SILENCE_SECONDS)
        finally:
            if listening.code is None:
                with contextlib.suppress(httpcore.NetworkError, httpcore.TimeoutException):
                    await stream.write(frame(CLOSE, (1000).to_bytes(2, "big")), timeout=1.0)
        if listening.code not in GOOD_CLOSES:
            raise _errors.unreachable(self._address, f"it closed the feed: {listening.code}")


def _read(message: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(message, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProtocolError(f"a message of the feed is not JSON: {error}") from error
