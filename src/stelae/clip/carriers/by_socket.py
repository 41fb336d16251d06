"""WebSocket: one connection for the whole call, one message for each request and answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from stelae.client._errors import is_loopback
from stelae.client._transport import CONNECT_SECONDS
from stelae.clip.carriers.address import Address
from stelae.clip.carriers.base import Answer, Awaited, Carrier
from stelae.clip.carriers.failing import of_http, of_socket, unreachable
from stelae.errors import ProtocolError, StelaeError
from stelae.wire.clip.messages import DataRequest, DecodeError
from stelae.wire.clip.names import END, SUBPROTOCOL

PATIENCE = 120.0
"""Seconds after which a server that answers no ping is taken for gone."""

PARTING = 2.0
"""Seconds that a server which has said goodbye may keep the connection."""

SHOWN = 500
"""Letters of an answer that a message shows."""


@asynccontextmanager
async def way(address: Address, token: str | None, prefetch: int) -> AsyncIterator[Carrier]:
    """A way to a server, see ``Way``.

    Args:
        address: Of the server.
        token: Sent verbatim as ``Authorization``.
        prefetch: Not sent: the bound on requests under way is kept here alone.

    Raises:
        StelaeError: The server cannot be reached, or refuses.
    """
    del prefetch
    carrier = SocketCarrier(await _connected(address.url, token), address.url)
    try:
        yield carrier
    except BaseException:
        carrier.drop()
        raise
    else:
        await carrier.end()
    finally:
        await carrier.close()


async def _connected(url: str, token: str | None) -> ClientConnection:
    try:
        return await connect(
            url,
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            compression=None,  # vectors and pictures hardly shrink
            max_size=None,  # an answer is as large as what was asked for
            open_timeout=CONNECT_SECONDS,
            ping_timeout=PATIENCE,
            close_timeout=PARTING,
            proxy=None if is_loopback(url) else True,
            additional_headers={"Authorization": token} if token else {},
        )
    except InvalidStatus as error:
        answer = error.response
        said = bytes(answer.body or b"")[:SHOWN].decode("utf-8", "replace")
        headers = {name.lower(): value for name, value in answer.headers.raw_items()}
        raise of_http(answer.status_code, said, headers, url) from error
    except (OSError, TimeoutError, InvalidHandshake) as error:
        raise unreachable(url, error) from error


class SocketCarrier:
    """See ``Carrier``.

    Args:
        socket: The connection.
        url: Of the server, for messages.
    """

    def __init__(self, socket: ClientConnection, url: str) -> None:
        self._socket = socket
        self._url = url
        self._awaited = Awaited()
        self._reader = asyncio.create_task(self._read())

    async def end(self) -> None:
        """Say that no more requests come; the server then closes the connection."""
        with suppress(ConnectionClosed):
            await self._socket.send(END)
        await self._reader

    def drop(self) -> None:
        """Cut the connection: nobody waits for what is still under way."""
        self._socket.transport.abort()

    async def close(self) -> None:
        """Wait until the connection is gone."""
        self._reader.cancel()
        await asyncio.wait([self._reader])
        await self._socket.close()

    async def send(self, request: DataRequest) -> Answer:
        """See ``Carrier``."""
        answer, data = self._awaited.expect(request), request.SerializeToString()
        del request  # pictures are held once
        try:
            await self._socket.send(data)
        except ConnectionClosed as error:
            raise _closed(self._url, error) from error
        return answer

    async def _read(self) -> None:
        try:
            while True:
                data = await self._socket.recv(decode=False)
                self._awaited.take(DataRequest.FromString(data))
        except ConnectionClosed as error:
            self._awaited.fail(_closed(self._url, error))
        except DecodeError as error:
            self._awaited.fail(ProtocolError(f"{self._url} answered what is no answer: {error}"))
        except StelaeError as error:
            self._awaited.fail(error)


def _closed(url: str, error: ConnectionClosed) -> StelaeError:
    if error.rcvd is None:
        return of_socket(None, str(error), url)
    return of_socket(error.rcvd.code, error.rcvd.reason, url)
