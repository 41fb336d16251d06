"""The transports of one server, started and stopped as one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from stelae.config import LimitSettings
from stelae.errors import InvalidInput
from stelae.security.tls import Tls
from stelae.server.app import Assembly
from stelae.server.gateway import Gateway
from stelae.server.listeners import Listener


class Carriers:
    """HTTP, HTTPS and gRPC around one application; each is there only if somebody listens.

    Attributes:
        gateways: Servers of HTTP and HTTPS.

    Args:
        assembly: What answers.
        limits: What is accepted.
        listeners: Where to serve.
        tls: The certificate and key of encrypted addresses.
    """

    def __init__(
        self,
        assembly: Assembly,
        limits: LimitSettings,
        listeners: Sequence[Listener],
        tls: Tls | None = None,
    ) -> None:
        self._assembly = assembly
        self._limits = limits
        self._listeners = listeners
        self._tls = tls
        self._serving: list[asyncio.Task[None]] = []
        self._rpcs: list[Any] = []
        self.gateways: list[Gateway] = []

    async def start(self) -> None:
        """Begin to serve.

        Raises:
            Conflict: An address was taken in the meantime.
        """
        if there := self._of("grpc", "grpcs"):
            await self._start_rpc(there)
        for scheme in ("http", "https"):
            if there := self._of(scheme):
                self._start_http(there)

    def stop(self, *, force: bool = False) -> None:
        """Begin to stop; ``force`` abandons what is being answered.

        Answers ask for their connection to be closed only once nobody listens: before that,
        callers would come back at once, and some would wait at a door that is then shut.
        """
        for carrier in (*self.gateways, *self._rpcs):
            carrier.stop(force=force)

    async def wait(self) -> None:
        """Until all have stopped."""
        await asyncio.gather(*self._serving)

    def _of(self, *schemes: str) -> list[Listener]:
        return [listener for listener in self._listeners if listener.scheme in schemes]

    def _start_http(self, there: Sequence[Listener]) -> None:
        tls = self._tls.context if self._tls and there[0].encrypted else None
        gateway = Gateway(self._assembly.edge, self._limits.drain_seconds, tls)
        self.gateways.append(gateway)
        sockets = [listener.socket for listener in there]
        self._serving.append(asyncio.create_task(gateway.serve(sockets), name="http"))

    async def _start_rpc(self, there: Sequence[Listener]) -> None:
        # Late: who serves no gRPC need not wait for its library.
        rpc = import_module("stelae.server.rpc")
        limits, assembly = self._limits, self._assembly
        bounds = rpc.RpcBounds(calls=limits.streams, messages=limits.messages)
        reception = assembly.edge.reception
        server = rpc.RpcServer(
            assembly.dialects, assembly.rooms, reception, bounds, limits.drain_seconds
        )
        await server.start(there, self._tls)
        self._rpcs.append(server)
        self._serving.append(asyncio.create_task(server.serve(), name="rpc"))


def check_tls(listeners: Sequence[Listener], tls: Tls | None) -> None:
    """See that there is a certificate where one is needed.

    Raises:
        InvalidInput: An encrypted address has none.
    """
    encrypted = [listener.url for listener in listeners if listener.encrypted]
    if encrypted and tls is None:
        raise InvalidInput(
            f"{encrypted[0]} needs a certificate",
            param="tls.certificate",
            hint="set tls.certificate and tls.key to PEM files",
        )
