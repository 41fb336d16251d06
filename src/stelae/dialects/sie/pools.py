"""SIE's paths for pools: make, list, look at, renew, delete."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import json_answer
from stelae.dialects.base import Operation, Rooms
from stelae.dialects.decode import Decoder, decode, read
from stelae.dialects.sie.errors import version_headers
from stelae.errors import Conflict, Forbidden, InvalidInput, PoolNotFound
from stelae.types import Assigned, Pool, PoolSpec

BUNDLE = "default"
"""Bundle of a worker that was asked for none: here every worker runs all models."""


class PoolRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A pool to make, or to change and renew.

    Attributes:
        name: Its name; capitals make no difference.
        gpus: Workers wanted, by machine profile; empty for any worker.
        gpu_caps: Workers at most, by machine profile.
        queue_pool: The pool whose queue it shares.
        bundle: The bundle that its workers run.
        minimum_worker_count: Workers kept warm.
        pinned_models: Models that its workers keep loaded.
        ttl_seconds: Seconds that it lives without renewal.
    """

    name: str
    gpus: dict[str, int] | None = None
    gpu_caps: dict[str, int] | None = None
    queue_pool: str | None = None
    bundle: str | None = None
    minimum_worker_count: int | None = None
    pinned_models: tuple[str, ...] | None = None
    ttl_seconds: float | None = None


class SiePoolWorker(msgspec.Struct, frozen=True, kw_only=True):
    """A worker of a pool.

    Attributes:
        name: The worker.
        url: Where it is reached.
        gpu: Its machine profile.
        bundle: What it runs.
    """

    name: str
    url: str
    gpu: str
    bundle: str


class SiePoolStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a pool stands.

    Attributes:
        state: ``active`` once every machine profile asked for is here, else ``pending``.
        assigned_workers: The workers it has.
        created_at: Unix time at which it was made.
        last_renewed: Unix time of the last renewal.
    """

    state: str
    assigned_workers: list[SiePoolWorker]
    created_at: float
    last_renewed: float


class SiePool(msgspec.Struct, frozen=True, kw_only=True):
    """A pool.

    Attributes:
        name: Its name as it was first written.
        spec: What it should be.
        status: How it stands.
    """

    name: str
    spec: PoolSpec
    status: SiePoolStatus


class SiePools(msgspec.Struct, frozen=True, kw_only=True):
    """All pools.

    Attributes:
        pools: The default one first.
    """

    pools: list[SiePool]


_JSON: Decoder[PoolRequest] = msgspec.json.Decoder(PoolRequest)


async def create_pool(request: Request, rooms: Rooms) -> Response:
    """Make a pool, or change and renew it."""
    asked = decode(_JSON, await read(request))
    return _answer(request, rooms, rooms.pools.create(_spec(asked)), 201)


async def list_pools(request: Request, rooms: Rooms) -> Response:
    """Every pool."""
    shown = [_shown(pool, rooms) for pool in rooms.pools.all()]
    return json_answer(SiePools(pools=shown), 200, version_headers(request.headers))


async def get_pool(request: Request, rooms: Rooms) -> Response:
    """One pool."""
    return _answer(request, rooms, rooms.pools.get(_name(request)))


async def renew_pool(request: Request, rooms: Rooms) -> Response:
    """Begin its lease anew; a body, if there is one, is not read."""
    return _answer(request, rooms, rooms.pools.renew(_name(request)))


async def delete_pool(request: Request, rooms: Rooms) -> Response:
    """Forget it."""
    name = _name(request)
    rooms.pools.delete(name)
    answer = {"name": name, "deleted": True}
    return json_answer(answer, 200, version_headers(request.headers))


def _name(request: Request) -> str:
    name: str = request.path_params["name"]
    return name


def _spec(asked: PoolRequest) -> PoolSpec:
    spec = PoolSpec(
        name=asked.name,
        gpus=asked.gpus or {},
        gpu_caps=asked.gpu_caps or {},
        queue_pool=asked.queue_pool,
        bundle=asked.bundle,
        minimum_worker_count=asked.minimum_worker_count,
        pinned_models=asked.pinned_models or (),
    )
    return spec if asked.ttl_seconds is None else replace(spec, ttl_seconds=asked.ttl_seconds)


def _answer(request: Request, rooms: Rooms, pool: Pool, status: int = 200) -> Response:
    return json_answer(_shown(pool, rooms), status, version_headers(request.headers))


def _shown(pool: Pool, rooms: Rooms) -> SiePool:
    return SiePool(
        name=pool.spec.name,
        spec=pool.spec,
        status=SiePoolStatus(
            state=pool.state.value,
            assigned_workers=[_worker(worker, pool.spec, rooms) for worker in pool.workers],
            created_at=pool.created_at,
            last_renewed=pool.last_renewed,
        ),
    )


def _worker(worker: Assigned, spec: PoolSpec, rooms: Rooms) -> SiePoolWorker:
    return SiePoolWorker(
        name=worker.name,
        url=rooms.about.url,
        gpu=worker.profile,
        bundle=spec.bundle or BUNDLE,
    )


def _operation(method: str, path: str, handle: Any, summary: str, **more: Any) -> Operation:
    return Operation(method=method, path=path, handle=handle, summary=summary, **more)


_ONE = "/v1/pools/{name}"

POOL_OPERATIONS = (
    _operation(
        "POST", "/v1/pools", create_pool, "Make a pool, or change and renew it.",
        request=PoolRequest, response=SiePool, errors=(InvalidInput, Conflict),
        example={"name": "eval", "gpus": {"cpu": 1}},
    ),
    _operation("GET", "/v1/pools", list_pools, "List the pools.", response=SiePools),
    _operation(
        "GET", _ONE, get_pool, "Describe one pool.", response=SiePool, errors=(PoolNotFound,)
    ),
    _operation(
        "POST", f"{_ONE}/renew", renew_pool, "Begin the lease of a pool anew.",
        response=SiePool, errors=(PoolNotFound,),
    ),
    _operation(
        "DELETE", _ONE, delete_pool, "Delete a pool.", errors=(PoolNotFound, Forbidden)
    ),
)  # fmt: skip
