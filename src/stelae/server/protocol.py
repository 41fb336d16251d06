"""HTTP/1.1 and WebSockets on a connection: bounds, answers as JSON, and a kind farewell."""

from __future__ import annotations

import asyncio
from copy import copy
from dataclasses import replace
from typing import Any, cast

import orjson
from uvicorn._types import ASGISendEvent
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.wsproto_impl import WebsocketBuffer, WSProtocol
from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import AcceptConnection, CloseConnection, Event
from wsproto.extensions import Extension
from wsproto.frame_protocol import CloseReason, FrameDecoder, FrameProtocol, Opcode, RsvBits

from stelae.server.gathered import Gathered

HEAD_BYTES = 64 * 1024
"""Most bytes of a request line with its headers."""

HEAD_SECONDS = 30.0
"""Time for a client to send the head of a request."""

GOODBYE_SECONDS = 2.0
"""Time for a client to read why its connection is closed."""

LAST_WORDS_SECONDS = 60.0
"""Time for the peer of a conversation to take the last answers, which may be large."""

MESSAGE_BYTES = "stelae.message_bytes"
"""Where the scope of a WebSocket says how long its messages may be; on such both sides speak."""

DISCARD_BYTES = 1024**3
"""Bytes read and dropped after a request was refused, so that its answer arrives."""


class Protocol(HttpToolsProtocol):
    """uvicorn's httptools protocol, with limits that it leaves open."""

    _head = 0
    _discarded = 0
    _refused = False
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client connected: it has some time to send its first head."""
        super().connection_made(transport)
        self.transport = cast("asyncio.Transport", Gathered(transport, self.loop))
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        if self._refused:
            self._discard(len(data))
        else:
            super().data_received(data)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._head = 0
        if self._head_timer is None:
            self._await_head()

    def on_url(self, url: bytes) -> None:
        """A piece of the path came."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header came."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole: the request starts."""
        self._stop_waiting()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body came."""
        if self.cycle is not None and self.cycle.response_complete:
            self._discard(len(body))
        super().on_body(body)

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP, in the error body that all dialects share."""
        self.transport.write(_not_http(msg))
        self._say_goodbye()

    def _say_goodbye(self) -> None:
        # Closing with bytes unread would reset the connection and lose the answer.
        self._refused = True
        if self.transport.can_write_eof():  # not where it is encrypted
            self.transport.write_eof()
        self.loop.call_later(GOODBYE_SECONDS, self.transport.close)

    def _discard(self, size: int) -> None:
        self._discarded += size
        if self._discarded > DISCARD_BYTES:
            self.transport.close()

    def _count(self, size: int) -> None:
        self._head += size
        if self._head > HEAD_BYTES:
            raise ValueError(f"the head of the request is over {HEAD_BYTES} bytes")

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


class FrameBound(Extension):
    """Refuses a frame by the length it claims, before any of it is taken in.

    It is no extension that peers agree on: wsproto shows the heads of frames to extensions alone.

    Args:
        most: Bytes of a frame.
    """

    name = "x-frame-bound"

    def __init__(self, most: int) -> None:
        self._most = most

    def enabled(self) -> bool:
        """Heads are shown to it."""
        return True

    def offer(self) -> bool:
        """Peers are told nothing of it."""
        return False

    def frame_inbound_header(
        self,
        proto: FrameDecoder | FrameProtocol,
        opcode: Opcode,
        rsv: RsvBits,
        payload_length: int,
    ) -> CloseReason | RsvBits:
        """What a frame is closed for, or that it uses no bits of this extension."""
        if payload_length > self._most:
            return CloseReason.MESSAGE_TOO_BIG
        return super().frame_inbound_header(proto, opcode, rsv, payload_length)


class BoundConnection(WSConnection):
    """A server's end of a WebSocket that refuses frames over a size.

    Attributes:
        most: Bytes of a frame; what it is when the handshake is accepted counts.
    """

    def __init__(self, most: int) -> None:
        super().__init__(ConnectionType.SERVER)
        self.most = most

    def send(self, event: Event) -> bytes:
        """The bytes that tell an event."""
        if isinstance(event, AcceptConnection):
            event = replace(event, extensions=[*event.extensions, FrameBound(self.most)])
        return super().send(event)


class SocketProtocol(WSProtocol):
    """uvicorn's WebSocket protocol; a watcher that reads nothing does not outlive its end."""

    def __init__(self, config: Config, *args: Any, **kwargs: Any) -> None:
        super().__init__(config, *args, **kwargs)
        self.conn = self._bound = BoundConnection(config.ws_max_size)

    @property
    def talks(self) -> bool:
        """Whether both sides speak."""
        return MESSAGE_BYTES in getattr(self, "scope", ())

    async def send(self, message: ASGISendEvent) -> None:
        """Send; the bounds of a conversation count from the moment it is accepted."""
        if message["type"] == "websocket.accept" and self.talks:
            most: int = self.scope[MESSAGE_BYTES]  # type: ignore[literal-required]
            self.config = copy(self.config)
            self.config.ws_max_size = self._bound.most = most
            self.buffer = WebsocketBuffer(most)
        await super().send(message)

    def shutdown(self) -> None:
        """The server stops; a conversation comes to its own end."""
        if self.close_sent or not (self.talks and self.handshake_complete):
            super().shutdown()

    def keepalive_timeout(self) -> None:
        """No pong came; where nothing is read at the moment, that means nothing."""
        if self.talks and self.read_paused:
            self.schedule_ping()
        else:
            super().keepalive_timeout()

    def handle_close(self, event: CloseConnection) -> None:
        """The watcher left, or sent what is refused; then it is told why."""
        if self.conn.state is ConnectionState.OPEN and not self.close_sent:
            self.transport.write(self.conn.send(CloseConnection(event.code, event.reason)))
        super().handle_close(event)

    def data_received(self, data: bytes) -> None:
        """Bytes came; a handshake with headers that cannot be read is answered too."""
        try:
            super().data_received(data)
        except ValueError as error:
            if not self.handshake_complete:
                self.transport.write(_not_http(f"the handshake cannot be read: {error}"))
            self.transport.close()

    async def run_asgi(self) -> None:
        """Serve, then leave what the watcher has not read after a while."""
        try:
            await super().run_asgi()
        finally:
            patience = LAST_WORDS_SECONDS if self.talks else GOODBYE_SECONDS
            self.loop.call_later(patience, self.transport.abort)


def _not_http(said: str) -> bytes:
    """An answer to what is not HTTP."""
    error: dict[str, str | int | None] = {"code": "invalid_http", "message": said}
    error |= {"type": "invalid_request_error", "param": None, "status": 400}
    body = orjson.dumps({"error": error, "detail": said})
    head = (
        "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body
