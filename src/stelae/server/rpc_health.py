"""The health of the server as gRPC's own service tells it (``grpc.health.v1``)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from functools import partial

from stelae.dialects.answers import house_error
from stelae.dialects.base import Asking, Dialect, Rooms, Rpc
from stelae.errors import NotFound
from stelae.server.rpc_messages import read, written
from stelae.wire.rpc.messages import DESCRIPTORS, HealthCheckRequest, HealthCheckResponse

SERVICE = "grpc.health.v1.Health"

SERVING, NOT_SERVING, SERVICE_UNKNOWN = 1, 2, 3

LOOK_SECONDS = 0.5
"""Time between two looks for those who watch."""


class Health:
    """Tells whether the server is ready, once or at every change.

    Args:
        services: What can be asked for, and ``""`` for the server.
    """

    def __init__(self, services: Iterable[str]) -> None:
        self._services = frozenset(("", *services))

    async def check(self, asked: HealthCheckRequest, asking: Asking, rooms: Rooms) -> object:
        """Answer once.

        Raises:
            NotFound: There is no such service.
        """
        del asking
        if asked.service not in self._services:
            raise NotFound(f"no service {asked.service[:100]!r} is here")
        return HealthCheckResponse(status=self._status(asked.service, rooms))

    async def watch(
        self, asked: HealthCheckRequest, asking: Asking, rooms: Rooms
    ) -> AsyncGenerator[object]:
        """Answer at once, and again at every change."""
        del asking
        told = None
        while True:
            status = self._status(asked.service, rooms)
            if status != told:
                yield HealthCheckResponse(status=status)
            told = status
            await asyncio.sleep(LOOK_SECONDS)

    def _status(self, service: str, rooms: Rooms) -> int:
        if service not in self._services:
            return SERVICE_UNKNOWN
        return SERVING if rooms.fleet.ready().ready else NOT_SERVING


def health(dialects: Iterable[Dialect]) -> Dialect:
    """The service as a dialect.

    Args:
        dialects: Each service of theirs can be asked for.
    """
    told = Health({rpc.service for dialect in dialects for rpc in dialect.rpcs} | {SERVICE})
    method = partial(
        Rpc, decode=partial(read, HealthCheckRequest), encode=written, open=True, quiet=True
    )
    rpcs = (
        method(
            method=f"/{SERVICE}/Check",
            handle=told.check,
            summary="Whether the server is ready; see GET /readyz.",
        ),
        method(
            method=f"/{SERVICE}/Watch",
            handle=told.watch,
            summary="Whether the server is ready, now and at every change.",
            tells=True,
        ),
    )
    return Dialect("server", "Health", (), house_error, rpcs=rpcs, descriptors=DESCRIPTORS)
