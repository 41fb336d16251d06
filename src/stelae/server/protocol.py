"""HTTP/1.1 and WebSockets on a connection: bounds, answers as JSON, and a kind farewell."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from copy import copy
from dataclasses import replace
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

import httptools
import orjson
from starlette.types import Scope
from uvicorn._types import ASGISendEvent
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.wsproto_impl import WebsocketBuffer, WSProtocol
from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import AcceptConnection, CloseConnection, Event
from wsproto.extensions import Extension
from wsproto.frame_protocol import CloseReason, FrameDecoder, FrameProtocol, Opcode, RsvBits

from stelae.server.exchange import LINE, Exchange
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

SHORT_URL = 256
"""Bytes of an address up to which what it says is remembered."""

DISCARD_BYTES = 1024**3
"""Bytes read and dropped after a request was refused, so that its answer arrives."""


class Protocol(HttpToolsProtocol):
    """uvicorn's httptools protocol, with limits that it leaves open, and fewer steps a request.

    One timer of a connection is set and looks when it is due whether there is still a reason:
    requests that come and go in a moment set none.
    """

    transport: Gathered  # type: ignore[assignment]  # a transport but for its type
    exchange: Exchange | None = None
    """The latest; those before it are answered first."""
    _answering: Exchange | None = None
    _waiting: deque[tuple[Exchange, Scope]]
    _head = 0
    _discarded = 0
    _refused = False
    _in_head = False
    _due = math.inf
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client connected: it has some time to send its first head."""
        super().connection_made(transport)
        self.transport = Gathered(transport, self.loop)
        self._waiting = deque()
        self._in_head = True
        self._close_in(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self.connections.discard(self)
        self._due = math.inf
        if self._timer is not None:
            self._timer.cancel()
        if self._answering is not None:
            self._answering.lose()
        for exchange, _ in self._waiting:
            exchange.lose()
        self.flow.resume_writing()
        if exc is None:
            self.transport.close()
        self.parser = None  # type: ignore[assignment]

    def shutdown(self) -> None:
        """The server stops: the connection ends with the answer under way."""
        if self.exchange is None or self.exchange.answered:
            self.transport.close()
            self.loop.call_later(GOODBYE_SECONDS, self._part)
        else:
            self.exchange.keep_alive = False

    def _part(self) -> None:
        # Encrypted, a connection waits for the client's farewell, and most clients read nothing
        # until they ask again; but who still takes an answer may take it.
        if not (self.flow.write_paused or self.transport.get_write_buffer_size()):
            self.transport.abort()

    # -- what comes --------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        if self._refused:
            self._discard(len(data))
            return
        before = self._in_head
        super().data_received(data)
        if not self._in_head:
            self._await_next()
        elif not before:
            self._close_in(HEAD_SECONDS)

    def handle_websocket_upgrade(self) -> None:
        """From now on the connection belongs to another protocol, which keeps its own time."""
        super().handle_websocket_upgrade()
        self.exchange = None

    def on_message_begin(self) -> None:
        """A request begins."""
        self.url, self.headers = b"", []
        self.expect_100_continue = False
        self._head, self._in_head = 0, True

    def on_url(self, url: bytes) -> None:
        """A piece of the path came."""
        self._count(len(url))
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header came."""
        self._head += len(name) + len(value)
        if self._head > HEAD_BYTES:
            self._count(0)
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is whole: the request starts, or waits for the one before."""
        self._in_head = False
        parser = self.parser
        version = parser.get_http_version()
        scope = self._scope(parser.get_method().decode("ascii"), version)
        self.scope = scope  # type: ignore[assignment]
        if parser.should_upgrade() and self._should_upgrade():
            return
        before, self.exchange = (
            self.exchange,
            Exchange(
                scope["method"],
                self.transport,
                self.flow,
                self.server_state,
                self._next,
                keep_alive=version != "1.0" and parser.should_keep_alive(),
                expects=self.expect_100_continue and version != "1.0",
            ),
        )
        scope[LINE] = self.exchange
        if before is None or before.answered:
            self._start(self.exchange, scope)
        else:
            self.flow.pause_reading()
            self._waiting.append((self.exchange, scope))

    def on_body(self, body: bytes) -> None:
        """A piece of the body came."""
        if self.exchange is None or (self.parser.should_upgrade() and self._should_upgrade()):
            return
        if self.exchange.answered:
            self._discard(len(body))
        elif self.exchange.put(body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()

    def on_message_complete(self) -> None:
        """A request is whole."""
        if self.exchange is not None and not (
            self.parser.should_upgrade() and self._should_upgrade()
        ):
            self.exchange.end()

    def _scope(self, method: str, version: str) -> Scope:
        path, raw, query = _place(self.url)
        return {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": "",
            "headers": self.headers,
            "state": {},
            "method": method,
            "path": path,
            "raw_path": raw,
            "query_string": query,
        }

    # -- what is answered --------------------------------------------------------------------

    def _start(self, exchange: Exchange, scope: Scope) -> None:
        self._answering = exchange
        exchange.work = task = self.loop.create_task(exchange.run(self.app, scope, self.tasks))
        self.tasks.add(task)

    def _next(self) -> None:
        """An answer is whole: go on with what waits, or wait for what comes."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self._waiting:
            self._start(*self._waiting.popleft())
        elif not self._in_head:
            self._close_in(self.timeout_keep_alive)

    def _await_next(self) -> None:
        # What comes outside a head need not be a request: of one that was refused, the rest of
        # its body comes, or never does, and empty lines may stand before the next.
        if self.exchange is not None and self.exchange.answered:
            self._close_in(self.timeout_keep_alive)
        else:
            self._due = math.inf

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

    def _close_in(self, seconds: float) -> None:
        """Close the connection then, if nothing has come."""
        self._due = due = self.loop.time() + seconds
        if self._timer is None:
            self._timer = self.loop.call_at(due, self._look)
        elif self._timer.when() > due:
            self._timer.cancel()
            self._timer = self.loop.call_at(due, self._look)

    def _look(self) -> None:
        self._timer = None
        if self.loop.time() >= self._due:
            self._give_up()
        elif self._due < math.inf:
            self._timer = self.loop.call_at(self._due, self._look)

    def _give_up(self) -> None:
        if self._in_head and self.exchange is not None and not self.exchange.answered:
            self._close_in(HEAD_SECONDS)  # the answer before the head that is waited for comes
        else:
            self.transport.close()


@lru_cache(maxsize=512)
def _told(url: bytes) -> tuple[str, bytes, bytes]:
    parsed = httptools.parse_url(url)
    path = parsed.path.decode("ascii")
    return unquote(path) if "%" in path else path, parsed.path, parsed.query or b""


def _place(url: bytes) -> tuple[str, bytes, bytes]:
    """Path, path as sent, and query of an address; those seen lately are remembered."""
    return (_told if len(url) <= SHORT_URL else _told.__wrapped__)(url)


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
