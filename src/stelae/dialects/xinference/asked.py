"""Requests by the names that callers gave them: how far they are, and ending them."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import json_answer
from stelae.dialects.base import Operation, Rooms, name_of
from stelae.errors import InvalidInput, ModelNotFound
from stelae.service.following import Ending


async def abort(request: Request, rooms: Rooms) -> Response:
    """End a request, if it is under way."""
    name = name_of(request, request.path_params["request"])
    try:
        model = rooms.fleet.model(request.path_params["uid"]).name
    except ModelNotFound:
        return json_answer({"msg": Ending.UNKNOWN})
    return json_answer({"msg": rooms.following.end(name, model)})


async def progress(request: Request, rooms: Rooms) -> Response:
    """How far a request is."""
    name = name_of(request, request.path_params["request"])
    return json_answer({"progress": rooms.following.progress(name)})


ASKED_OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/models/{uid:path}/requests/{request}/abort",
        handle=abort,
        summary="End a request that has a `request_id`.",
    ),
    Operation(
        method="GET",
        path="/v1/requests/{request}/progress",
        handle=progress,
        summary="How far a request with a `request_id` is.",
        errors=(InvalidInput,),
    ),
)
