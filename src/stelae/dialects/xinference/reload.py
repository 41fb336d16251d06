"""Loading a model anew where it is, and starting parts of the server anew, which is refused."""

from __future__ import annotations

from typing import Any, NoReturn

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import json_answer
from stelae.dialects.base import Handle, Operation, Rooms
from stelae.dialects.decode import decode, whole
from stelae.dialects.xinference.describing import check_up, found
from stelae.dialects.xinference.payload import payload_of
from stelae.dialects.xinference.refusals import refused
from stelae.errors import (
    Forbidden,
    InvalidInput,
    ModelNotFound,
    ModelNotReady,
    NotFound,
    StelaeError,
)
from stelae.types import ModelInfo, ModelState

ACCEPTED = 202
"""The status that these clients expect of a reload."""

UNDER_WAY = {ModelState.READY: "draining", ModelState.AVAILABLE: "loading"}
"""What is told in place of a state that is about to change: calls end first, then it loads."""

STATUSES = {
    ModelState.AVAILABLE: "unloaded",
    ModelState.LOADING: "loading",
    ModelState.READY: "ready",
    ModelState.STOPPING: "draining",
    ModelState.FAILED: "error",
}

PARTS = {
    "/v1/api/relaunch": "/v1/api-relaunches",
    "/v1/supervisor/relaunch": "/v1/supervisor-relaunches",
    "/v1/workers/{address}/relaunch": "/v1/worker-relaunches",
}
"""Where parts of the server are started anew, and where that is told of."""


class ReloadRequest(msgspec.Struct, frozen=True, kw_only=True):
    """How a model is to be loaded anew.

    Attributes:
        configured: Options to change; refused unless empty.
        drain_timeout: Not used: calls have as long as when a model is unloaded.
        python_executable: Refused: all workers run on the Python of the server.
    """

    configured: dict[str, Any] | None = msgspec.field(default=None, name="model_config")
    drain_timeout: float | None = None
    python_executable: str | None = None


_DECODER = msgspec.json.Decoder(ReloadRequest)


async def reload(request: Request, rooms: Rooms) -> Response:
    """Begin to unload a model once its calls are answered, and to load it again."""
    uid, body = request.path_params["uid"], await whole(request)
    asked = decode(_DECODER, body) if body.strip() else ReloadRequest()
    changes = {"model_config": asked.configured, "python_executable": asked.python_executable}
    for param, given in changes.items():
        if given:
            raise InvalidInput(
                f"{param}: a model is loaded again as it was launched",
                param=param,
                hint="terminate it and launch it with other options",
            )
    with refused():
        check_up(uid, found(rooms, uid)[1])
        info = rooms.fleet.reload(uid)
    return json_answer(_status(rooms, info, uid), ACCEPTED)


async def status(request: Request, rooms: Rooms) -> Response:
    """How far a model is that is loaded anew, or whether it is loaded."""
    uid = request.path_params["uid"]
    return json_answer(_status(rooms, found(rooms, uid)[0], uid))


def _status(rooms: Rooms, info: ModelInfo, uid: str) -> dict[str, Any]:
    error = None if info.error is None else info.error.message
    told = STATUSES | UNDER_WAY if rooms.fleet.reloading(info.name) else STATUSES
    return {"model_uid": uid, "status": told[info.state], "error": error}


async def configuration(request: Request, rooms: Rooms) -> Response:
    """What a model was launched with."""
    info, launch = found(rooms, request.path_params["uid"])
    if launch is None:
        return json_answer({"model_uid": info.name, "model_name": info.name})
    return json_answer(payload_of(launch.call))


async def relaunch(request: Request, rooms: Rooms) -> NoReturn:
    """Refuse to start a part of the server anew.

    Raises:
        Forbidden: Always.
    """
    del rooms
    raise Forbidden(
        f"{request.url.path[:200]}: the server is started and stopped by whoever runs it",
        hint="POST /v1/models/UID/reload loads a model anew",
    )


async def relaunches(request: Request, rooms: Rooms) -> Response:
    """Parts of the server that were started anew: none."""
    del request, rooms
    return json_answer([])


async def relaunched(request: Request, rooms: Rooms) -> NoReturn:
    """Tell that a part was not started anew.

    Raises:
        NotFound: Always.
    """
    del rooms
    raise NotFound(
        f"operation_id={request.path_params['operation'][:80]!r}: nothing was started anew",
        param="operation_id",
    )


def _operation(
    method: str, path: str, handle: Handle, summary: str, *errors: type[StelaeError], **more: Any
) -> Operation:
    return Operation(
        method=method, path=path, handle=handle, summary=summary, errors=errors, **more
    )


RELOAD_OPERATIONS = (
    _operation(
        "POST",
        "/v1/models/{uid:path}/reload",
        reload,
        "Begin to load a model anew as it was launched.",
        InvalidInput,
        ModelNotReady,
        request=ReloadRequest,
        example={"drain_timeout": 300},
    ),
    _operation(
        "GET",
        "/v1/models/{uid:path}/reload",
        status,
        "Tell how far a model is that is loaded anew.",
        ModelNotFound,
    ),
    _operation(
        "GET",
        "/v1/models/{uid:path}/reload/config",
        configuration,
        "Tell what a model was launched with.",
        ModelNotFound,
    ),
    *(
        operation
        for path, told in PARTS.items()
        for operation in (
            _operation("POST", path, relaunch, "Refused: servers are started by hand.", Forbidden),
            _operation("GET", told, relaunches, "List what was started anew: nothing."),
            _operation(
                "GET", told + "/{operation}", relaunched, "Nothing was started anew.", NotFound
            ),
        )
    ),
)
