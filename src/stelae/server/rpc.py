"""gRPC: the methods of all dialects on its own addresses."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc

from stelae.dialects.answers import house_error
from stelae.dialects.base import Asking, Dialect, Rooms, Rpc
from stelae.errors import Conflict, NoSuchPath
from stelae.security.tls import Tls
from stelae.server.listeners import Listener
from stelae.server.reception import Reception
from stelae.server.rpc_call import Method

HANDSHAKE_SECONDS = 30
"""Time for a client to begin to speak HTTP/2."""

IDLE_PING_SECONDS = 60
"""Silence after which a client is asked whether it is still there."""

PING_SECONDS = 20
"""Time for its answer."""

FAREWELL_SECONDS = 1.0
"""Time for the last statuses to be sent after calls were left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RpcBounds:
    """How much there may be of gRPC.

    Attributes:
        calls: Most calls open at once.
        messages: Most messages of one stream worked on at once.
    """

    calls: int
    messages: int


class RpcServer:
    """Serves gRPC until it is stopped by its owner.

    Stopping goes in steps: no new calls; idle streams end with UNAVAILABLE; what is in work
    gets ``drain`` seconds and is then left with UNAVAILABLE too.

    Args:
        dialects: Protocols to speak.
        rooms: What they enter.
        reception: Who may call, and what is noted of it.
        bounds: How many may call.
        drain: Seconds for what is in work when the server stops.
    """

    def __init__(
        self,
        dialects: Iterable[Dialect],
        rooms: Rooms,
        reception: Reception,
        bounds: RpcBounds,
        drain: float,
    ) -> None:
        self._methods = {
            rpc.method: Method(rpc, dialect, rooms, reception, bounds.messages)
            for dialect in dialects
            for rpc in dialect.rpcs
        }
        self._unknown = _unknown(rooms, reception, bounds.messages)
        self._drain = drain
        self._over = asyncio.Event()
        self._force = False
        self._server = grpc.aio.server(
            options=_options(reception.ledger.body_bytes, bounds.calls),
            maximum_concurrent_rpcs=bounds.calls,
        )
        self._server.add_generic_rpc_handlers((_Handlers(self._methods, self._unknown),))

    async def start(self, listeners: Sequence[Listener], tls: Tls | None = None) -> None:
        """Serve on the places that the listeners keep.

        Raises:
            Conflict: Another program was quicker to take a place.
        """
        for listener in listeners:
            place = listener.place
            listener.socket.close()
            try:
                _add_port(self._server, place, tls if listener.encrypted else None)
            except RuntimeError as error:
                raise Conflict(f"cannot listen on {listener.url}: it was taken") from error
        await self._server.start()

    async def serve(self) -> None:
        """Until it is stopped, and everything is answered or left."""
        await self._over.wait()
        stopping = asyncio.create_task(self._server.stop(self._drain + FAREWELL_SECONDS))
        await asyncio.sleep(0)  # from here on no call is begun
        for call in self._calls():
            call.drain()
        await asyncio.wait([stopping], timeout=0 if self._force else self._drain)
        for call in self._calls():
            call.abandon()
        await stopping

    def stop(self, *, force: bool = False) -> None:
        """Begin to stop; ``force`` abandons what is being answered."""
        self._force = self._force or force
        if self._over.is_set() and force:
            for call in self._calls():
                call.abandon()
        self._over.set()

    def _calls(self) -> list[Any]:
        methods = (*self._methods.values(), self._unknown)
        return [call for method in methods for call in method.calls]


class _Handlers(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Finds the method of a call.

    All are served as streams, also those of one message: so nothing of a message is read
    before the key that comes with it.
    """

    def __init__(self, methods: dict[str, Method], unknown: Method) -> None:
        self._handlers = {
            name: grpc.stream_stream_rpc_method_handler(method.serve)
            for name, method in methods.items()
        }
        self._unknown = grpc.stream_stream_rpc_method_handler(unknown.serve)

    def service(self, handler_call_details: Any) -> Any:
        """The handler of a call's method."""
        return self._handlers.get(handler_call_details.method, self._unknown)


def _unknown(rooms: Rooms, reception: Reception, messages: int) -> Method:
    """Refuses calls of methods that nobody has."""

    async def refuse(message: bytes, asking: Asking, rooms: Rooms) -> bytes:
        del message, asking, rooms
        raise NoSuchPath("no such method is here", hint="see the protocol's own reference")

    rpc = Rpc(method="", handle=refuse, decode=bytes, encode=bytes, summary="")
    return Method(rpc, Dialect("", "", (), house_error), rooms, reception, messages)


def _add_port(server: Any, place: str, tls: Tls | None) -> None:
    if tls is None:
        server.add_insecure_port(place)
    else:
        pair = grpc.ssl_server_credentials([(tls.key, tls.chain)])
        server.add_secure_port(place, pair)


def _options(body_bytes: int, calls: int) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", body_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_concurrent_streams", calls),
        # Without these the library drops calls that arrive together, from 1000 on at random.
        ("grpc.server.max_pending_requests", calls),
        ("grpc.server.max_pending_requests_hard_limit", calls),
        ("grpc.so_reuseport", 0),  # a taken address must be an error
        ("grpc.server_handshake_timeout_ms", HANDSHAKE_SECONDS * 1000),
        ("grpc.keepalive_time_ms", IDLE_PING_SECONDS * 1000),
        ("grpc.keepalive_timeout_ms", PING_SECONDS * 1000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 1000),
        ("grpc.http2.max_ping_strikes", 0),
    ]
