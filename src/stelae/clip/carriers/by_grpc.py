"""gRPC: one stream in each direction for the whole call."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import grpc

from stelae.client._errors import is_loopback
from stelae.clip.carriers.address import Address
from stelae.clip.carriers.base import Answer, Awaited, Carrier
from stelae.clip.carriers.failing import of_grpc
from stelae.errors import ServerUnreachable, StelaeError
from stelae.wire.clip.messages import DataRequest
from stelae.wire.clip.names import CALL, PREFETCH

UNBOUNDED = (("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1))
DIRECT = (("grpc.enable_http_proxy", 0),)

NO_REASON = "Internal error from Core"
"""What gRPC says of a call on which nothing can be sent any more."""

TRIES, PAUSE = 100, 0.01
"""How often, and after how many seconds each, it is asked again."""


@asynccontextmanager
async def way(address: Address, token: str | None, prefetch: int) -> AsyncIterator[Carrier]:
    """A way to a server, see ``Way``.

    Args:
        address: Of the server.
        token: Sent verbatim as ``authorization``.
        prefetch: Most requests that the server shall have under way.
    """
    metadata = [(PREFETCH, str(prefetch))]
    if token:
        metadata.append(("authorization", token))
    async with _channel(address) as channel:
        stream = channel.stream_stream(CALL, response_deserializer=DataRequest.FromString)
        carrier = GrpcCarrier(stream(metadata=metadata), address.url)
        try:
            yield carrier
            await carrier.end()
        finally:
            await carrier.drop()


class GrpcCarrier:
    """See ``Carrier``.

    Args:
        call: The stream in both directions.
        url: Of the server, for messages.
    """

    def __init__(self, call: Any, url: str) -> None:
        self._call = call
        self._url = url
        self._awaited = Awaited()
        self._turn = asyncio.Lock()
        self._ended: End | None = None
        call.add_done_callback(self._note)
        self._reader = asyncio.create_task(self._read())

    async def end(self) -> None:
        """Say that no more requests come; the server then ends the call."""
        async with self._turn:
            await self._call.done_writing()
        await self._reader

    async def drop(self) -> None:
        """End the call, whatever is under way."""
        self._call.cancel()
        self._reader.cancel()
        await asyncio.wait([self._reader])

    async def send(self, request: DataRequest) -> Answer:
        """See ``Carrier``."""
        answer, data = self._awaited.expect(request), request.SerializeToString()
        del request  # pictures are held once
        async with self._turn:  # gRPC takes one message at a time
            try:
                await self._call.write(data)
            except (grpc.aio.AioRpcError, asyncio.InvalidStateError) as error:
                raise await self._failure() from error
        return answer

    async def _read(self) -> None:
        try:
            async for answer in self._call:
                self._awaited.take(answer)
        except grpc.aio.AioRpcError:
            self._awaited.fail(await self._failure())
        except StelaeError as error:
            self._awaited.fail(error)
            self._call.cancel()
        else:
            self._awaited.fail(
                ServerUnreachable(f"{self._url} ended the call before it had answered")
            )

    def _note(self, call: Any) -> None:
        """Remember how the call ended.

        A message that cannot be sent any more makes gRPC forget why the call had ended before, or
        learn it a moment later.
        """
        status = End(_now(call.code()), _now(call.details()), _now(call.trailing_metadata()))
        if status.code is not None and status.details != NO_REASON:
            self._ended = self._ended or status

    async def _failure(self) -> StelaeError:
        for _ in range(TRIES):
            self._note(self._call)
            if self._ended is not None:
                break
            await asyncio.sleep(PAUSE)
        ended = self._ended or End(grpc.StatusCode.INTERNAL, NO_REASON, ())
        headers = {name: str(value) for name, value in ended.trailers or ()}
        return of_grpc(ended.code.name, ended.details or "", headers, self._url)


class End(NamedTuple):
    """How a call ended."""

    code: Any
    details: str | None
    trailers: Any


def _now(known: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that has nothing to wait for."""
    try:
        known.send(None)
    except StopIteration as done:
        return done.value
    known.close()
    return None


def _channel(address: Address) -> Any:
    options = (*UNBOUNDED, *DIRECT) if is_loopback(address.url) else UNBOUNDED
    if not address.tls:
        return grpc.aio.insecure_channel(address.netloc, options=options)
    credentials = grpc.ssl_channel_credentials(root_certificates=_roots())
    return grpc.aio.secure_channel(address.netloc, credentials, options=options)


def _roots() -> bytes | None:
    """The authorities that ``SSL_CERT_FILE`` names, as the other protocols take them from there."""
    paths = ssl.get_default_verify_paths()
    if paths.cafile is None or paths.cafile == paths.openssl_cafile:
        return None
    return Path(paths.cafile).read_bytes()
