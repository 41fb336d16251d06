"""The HTTP server around the application: its sockets, and how it stops."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator, Sequence

import uvicorn

from stelae.server.edge import Edge
from stelae.server.protocol import Protocol, SocketProtocol

KEEP_ALIVE_SECONDS = 75
"""Idle time after which a connection is closed; longer than what proxies wait."""

SOCKET_BYTES = 64 * 1024
"""Largest message taken on a WebSocket on which the server alone speaks."""

FAREWELL_SECONDS = 0.25
"""Time for requests on their way to arrive before idle connections are closed."""


class Gateway(uvicorn.Server):
    """uvicorn on sockets that are bound already, stopped by its owner alone.

    Stopping goes in steps: no new connections; watchers are told goodbye; what
    still arrives on open connections is answered with ``Connection: close``; idle
    ones are closed; what is being answered gets ``drain`` seconds.

    Args:
        app: Answers.
        drain: Seconds for what is being answered when the server stops.
        tls: How connections are encrypted, if they are.
    """

    def __init__(self, app: Edge, drain: float, tls: ssl.SSLContext | None = None) -> None:
        self._edge = app
        config = uvicorn.Config(
            app,
            loop="none",
            http=Protocol,
            ws=SocketProtocol,
            ws_max_size=SOCKET_BYTES,
            ws_per_message_deflate=False,
            interface="asgi3",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            ssl_context_factory=None if tls is None else lambda config, default: tls,
        )
        # uvicorn's type says int; it is handed to asyncio.wait_for as it is.
        config.timeout_graceful_shutdown = drain  # type: ignore[assignment]
        super().__init__(config)

    def stop(self, *, force: bool = False) -> None:
        """Begin to stop; ``force`` abandons what is being answered."""
        self.should_exit = True
        self.force_exit = self.force_exit or force

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the owner's business."""
        yield

    async def shutdown(self, sockets: Sequence[socket.socket] | None = None) -> None:
        """Stop in the steps that the class describes."""
        self._edge.drain()
        for server in self.servers:
            server.close()
        if not self.force_exit:
            await asyncio.sleep(FAREWELL_SECONDS)
        await super().shutdown(list(sockets or ()))
