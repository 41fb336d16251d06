"""The cluster as Xinference's clients see it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import json_answer
from stelae.dialects.base import Operation, Rooms


async def auth(request: Request, rooms: Rooms) -> Response:
    """Whether the server needs a key."""
    del request
    return json_answer({"auth": bool(rooms.keys)})


CLUSTER_OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/cluster/auth",
        handle=auth,
        summary="Whether the server needs a key.",
        open=True,
    ),
)
