"""Xinference's list of models, what one of them is, and taking one down."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import json_answer
from stelae.dialects.base import Operation, Rooms, record_of
from stelae.dialects.xinference.models import launched, model, models
from stelae.dialects.xinference.refusals import refused
from stelae.dialects.xinference.schema import XinferenceModel, XinferenceModels
from stelae.errors import ModelNotFound, ModelNotReady, from_info
from stelae.types import LaunchInfo, ModelInfo, Stage

COMING = frozenset({Stage.PENDING, Stage.DOWNLOADING, Stage.LOADING})
"""Stages of a launch that is not over."""

LATER = 30.0
"""Seconds after which to ask again for a model that is being launched."""


async def list_models(request: Request, rooms: Rooms) -> Response:
    """Every model that can be asked for."""
    del request
    return json_answer(XinferenceModels(object="list", data=models(rooms)))


async def get_model(request: Request, rooms: Rooms) -> Response:
    """One model, once it is launched."""
    uid = request.path_params["uid"]
    info, launch = found(rooms, uid)
    record_of(request).model = info.name
    check_up(uid, launch)
    return json_answer(model(rooms, info, launch))


def check_up(uid: str, launch: LaunchInfo | None) -> None:
    """Refuse what needs a model whose launch is over.

    Raises:
        ModelNotReady: It is being launched.
    """
    if launch is not None and launch.stage in COMING:
        raise ModelNotReady(
            f"model_uid={uid[:128]!r}: the model is still being launched ({launch.stage})",
            param="model_uid",
            retry_after=LATER,
        )


async def terminate(request: Request, rooms: Rooms) -> Response:
    """Take a model down; one that the settings name stays known, and a call loads it again."""
    uid = request.path_params["uid"]
    with refused():
        if uid in launched(rooms):
            await rooms.launches.terminate(uid)
        else:
            await rooms.fleet.unload(uid)
    return json_answer(None)


def found(rooms: Rooms, uid: str) -> tuple[ModelInfo, LaunchInfo | None]:
    """A model by its uid or another of its names, and how it was launched, if it was.

    Raises:
        ModelNotFound: There is none.
        StelaeError: Its launch failed a moment ago, and why.
    """
    try:
        info = rooms.fleet.model(uid)
    except ModelNotFound:
        if (error := _ended(rooms, uid)) is not None:
            raise error from None
        raise
    return info, launched(rooms).get(info.name)


def _ended(rooms: Rooms, uid: str) -> Exception | None:
    """Why a launch came to nothing, if that is known."""
    try:
        told = rooms.launches.info(uid)
    except ModelNotFound:
        return None
    if told.stage is not Stage.FAILED or told.error is None:
        return None
    return from_info(told.error)


DESCRIBING_OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/models",
        handle=list_models,
        summary="List the models.",
        response=XinferenceModels,
    ),
    Operation(
        method="GET",
        path="/v1/models/{uid:path}",
        handle=get_model,
        summary="Describe one model.",
        response=XinferenceModel,
        errors=(ModelNotFound, ModelNotReady),
    ),
    Operation(
        method="DELETE",
        path="/v1/models/{uid:path}",
        handle=terminate,
        summary="Take a model down once its calls are answered.",
    ),
)
