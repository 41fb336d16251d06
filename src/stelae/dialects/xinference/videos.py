"""Videos and worlds, which nothing here makes: requests are read and refused in so many words."""

from __future__ import annotations

from typing import NoReturn

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.base import Handle, Operation, Rooms
from stelae.dialects.uploads import asked
from stelae.errors import ModelNotFound, UnsupportedTask
from stelae.types import ModelInfo


class MadeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of a request for a video or a world.

    Attributes:
        model: Who should make it.
        prompt: What it should show; not used.
    """

    model: str
    prompt: str | None = None


def _refused(name: str, what: str) -> Handle:
    async def handle(request: Request, rooms: Rooms) -> Response:
        form, _ = await asked(request, MadeRequest)
        refuse(rooms.fleet.model(form.model), what)

    handle.__name__ = name
    return handle


def refuse(info: ModelInfo, what: str) -> NoReturn:
    """Say that a model cannot make that, and what it can do.

    Raises:
        UnsupportedTask: Always.
    """
    raise UnsupportedTask(
        f"this server has no engine that makes {what}; model {info.name!r} can "
        f"{', '.join(info.tasks)}",
        param="model",
    )


def _operation(path: str, name: str, what: str) -> Operation:
    return Operation(
        method="POST",
        path=path,
        handle=_refused(name, what),
        summary=f"Refused: no engine here makes {what}.",
        request=MadeRequest,
        errors=(UnsupportedTask, ModelNotFound),
        example={"model": "all-MiniLM-L6-v2", "prompt": "A lighthouse at dusk"},
    )


VIDEO_OPERATIONS = (
    _operation("/v1/video/generations", "text_to_video", "videos"),
    _operation("/v1/video/generations/image", "image_to_video", "videos"),
    _operation("/v1/video/generations/flf", "frames_to_video", "videos"),
    _operation("/v1/worlds/generations", "generate_world", "worlds"),
)
