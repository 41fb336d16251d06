"""``GET /health``: the server describes itself as a cluster of one worker."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import json_answer
from stelae.dialects.base import Operation, Rooms
from stelae.dialects.sie.cluster import (
    SieModelSummary,
    SieSummary,
    SieWorker,
    models_of,
    summary_of,
    workers_of,
)
from stelae.dialects.sie.errors import version_headers
from stelae.dialects.sie.versions import version
from stelae.types import Capacity

LAST_ROUTER = (0, 3, 0)
"""From this version on the SDK looks for a gateway; before it, for a router."""


class SieHealth(msgspec.Struct, frozen=True, kw_only=True):
    """What there is.

    Attributes:
        status: ``healthy``, ``degraded`` or ``no_workers``.
        type: ``gateway``; ``router`` for SDKs before 0.3.0.
        cluster: The whole in numbers.
        configured_gpu_types: Machine profiles that can be asked for.
        live_gpu_types: Those that are here.
        workers: All workers.
        models: All models.
    """

    status: str
    type: str
    cluster: SieSummary
    configured_gpu_types: tuple[str, ...]
    live_gpu_types: tuple[str, ...]
    workers: list[SieWorker]
    models: list[SieModelSummary]


async def health(request: Request, rooms: Rooms) -> Response:
    """What there is; never an error, whatever state the server is in."""
    capacity = rooms.lookout.capacity()
    answer = SieHealth(
        status=status_of(capacity),
        type="router" if version(request.headers) < LAST_ROUTER else "gateway",
        cluster=summary_of(capacity),
        configured_gpu_types=capacity.profiles,
        live_gpu_types=tuple(worker.profile for worker in capacity.workers),
        workers=workers_of(capacity, rooms.about),
        models=models_of(capacity),
    )
    return json_answer(answer, 200, version_headers(request.headers))


def status_of(capacity: Capacity) -> str:
    """The state of the whole in a word."""
    if not capacity.workers:
        return "no_workers"
    return "healthy" if all(w.healthy for w in capacity.workers) else "degraded"


HEALTH_OPERATIONS = (
    Operation(
        method="GET",
        path="/health",
        handle=health,
        summary="Workers, models and machine profiles.",
        response=SieHealth,
        quiet=True,
    ),
)
