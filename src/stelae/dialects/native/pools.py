"""What there is to give, and pools of it."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.base import Operation, Rooms
from stelae.dialects.decode import Decoder, decode, read
from stelae.dialects.native import convert
from stelae.errors import Conflict, Forbidden, InvalidInput, PoolNotFound
from stelae.types import Capacity, Pool, PoolSpec

_SPECS: dict[convert.Media, Decoder[PoolSpec]] = {
    convert.Media.JSON: msgspec.json.Decoder(PoolSpec),
    convert.Media.MSGPACK: msgspec.msgpack.Decoder(PoolSpec),
}


class PoolsResponse(msgspec.Struct, frozen=True, kw_only=True):
    """Every pool, the default one first."""

    pools: list[Pool]


async def capacity(request: Request, rooms: Rooms) -> Response:
    """Workers and models at this moment."""
    return convert.answer(rooms.lookout.capacity(), request)


async def create_pool(request: Request, rooms: Rooms) -> Response:
    """Make a pool, or change and renew it."""
    spec = decode(_SPECS[convert.sent(request)], await read(request))
    return convert.answer(rooms.pools.create(spec), request)


async def list_pools(request: Request, rooms: Rooms) -> Response:
    """Every pool."""
    return convert.answer(PoolsResponse(pools=rooms.pools.all()), request)


async def get_pool(request: Request, rooms: Rooms) -> Response:
    """One pool."""
    return convert.answer(rooms.pools.get(request.path_params["name"]), request)


async def renew_pool(request: Request, rooms: Rooms) -> Response:
    """Begin the lease of a pool anew."""
    return convert.answer(rooms.pools.renew(request.path_params["name"]), request)


async def delete_pool(request: Request, rooms: Rooms) -> Response:
    """Forget a pool, and tell how it stood."""
    name = request.path_params["name"]
    pool = rooms.pools.get(name)
    rooms.pools.delete(name)
    return convert.answer(pool, request)


_BOTH = ("application/json", "application/msgpack")
_POOL = "/stelae/v1/pools/{name}"

POOL_OPERATIONS = (
    Operation(
        method="GET",
        path="/stelae/v1/capacity",
        handle=capacity,
        summary="Workers and models at this moment.",
        response=Capacity,
        media=_BOTH,
    ),
    Operation(
        method="POST",
        path="/stelae/v1/pools",
        handle=create_pool,
        summary="Make a pool, or change and renew it.",
        request=PoolSpec,
        example={"name": "evaluation", "gpus": {"cpu": 1}},
        response=Pool,
        errors=(InvalidInput, Conflict),
        media=_BOTH,
    ),
    Operation(
        method="GET",
        path="/stelae/v1/pools",
        handle=list_pools,
        summary="List the pools.",
        response=PoolsResponse,
        media=_BOTH,
    ),
    Operation(
        method="GET",
        path=_POOL,
        handle=get_pool,
        summary="Describe one pool.",
        response=Pool,
        errors=(PoolNotFound,),
        media=_BOTH,
    ),
    Operation(
        method="POST",
        path=f"{_POOL}/renew",
        handle=renew_pool,
        summary="Begin the lease of a pool anew.",
        response=Pool,
        errors=(PoolNotFound,),
        media=_BOTH,
    ),
    Operation(
        method="DELETE",
        path=_POOL,
        handle=delete_pool,
        summary="Forget a pool.",
        response=Pool,
        errors=(PoolNotFound, Forbidden),
        media=_BOTH,
    ),
)
