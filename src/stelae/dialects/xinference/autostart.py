"""Models that are launched when the server starts."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import json_answer
from stelae.dialects.base import Operation, Rooms
from stelae.dialects.decode import decode, fit, read
from stelae.dialects.xinference.launch_read import Understood, sent
from stelae.dialects.xinference.launching import told_back, understood
from stelae.dialects.xinference.models import launched
from stelae.dialects.xinference.payload import payload_of
from stelae.dialects.xinference.refusals import refused
from stelae.errors import InvalidInput
from stelae.types import Autostart

OWN = {
    "retries": "max_retries",
    "retry_seconds": "retry_interval_seconds",
}


class Manner(msgspec.Struct, frozen=True, kw_only=True):
    """How a model is launched at start.

    Attributes:
        enabled: Whether it is.
        priority: Those with lower numbers are launched before others.
        max_retries: How often it is tried again if it fails.
        retry_interval_seconds: Time before each of these.
    """

    enabled: bool = True
    priority: int = 100
    max_retries: int = 3
    retry_interval_seconds: float = 30.0


class AutostartRequest(Manner, frozen=True, kw_only=True):
    """A model to launch at start; ``launch``'s fields may also stand beside the others.

    Attributes:
        launch: As the body of ``POST /v1/models``.
    """

    launch: dict[str, Any]


_FIELDS = msgspec.json.Decoder(dict[str, Any])


async def configuration(request: Request, rooms: Rooms) -> Response:
    """What is launched at start."""
    del request
    return json_answer(_told(rooms))


async def summary(request: Request, rooms: Rooms) -> Response:
    """How many of these there are, and are launched now."""
    del request
    plans, there = rooms.autostarts.all(), launched(rooms)
    uids = [str(plan.launch.uid) for plan in plans]
    return json_answer(
        {
            "total": len(plans),
            "enabled": sum(plan.enabled for plan in plans),
            "launched": sum(uid in there for uid in uids),
            "models": [
                {
                    "model_uid": uid,
                    "enabled": plan.enabled,
                    "stage": there[uid].stage if uid in there else None,
                }
                for uid, plan in zip(uids, plans, strict=True)
            ],
        }
    )


async def put(request: Request, rooms: Rooms) -> Response:
    """Have a model launched at start."""
    given = decode(_FIELDS, await read(request))
    call = _launch(given)
    plan, asked = _plan(rooms, given, call)
    with refused({**sent(call), **OWN}):
        await rooms.autostarts.put(plan)
    return json_answer(_told(rooms), headers=told_back(asked, plan.launch.uid or ""))


def _launch(given: dict[str, Any]) -> dict[str, Any]:
    """The body of a launch, by itself or beside the fields of its start."""
    call = given.get("launch")
    if call is None:
        call = {n: v for n, v in given.items() if n not in AutostartRequest.__struct_fields__}
    if not isinstance(call, dict):
        raise InvalidInput("launch: the body of a launch was expected", param="launch")
    return call


def _plan(
    rooms: Rooms, given: dict[str, Any], call: dict[str, Any]
) -> tuple[Autostart, Understood]:
    manner = fit(Manner, {name: value for name, value in given.items() if value is not None})
    name = call.get("model_uid") or call.get("model_name")
    asked = understood(rooms, {**call, "model_uid": name})
    plan = Autostart(
        launch=asked.call,
        enabled=manner.enabled,
        priority=manner.priority,
        retries=manner.max_retries,
        retry_seconds=manner.retry_interval_seconds,
    )
    return plan, asked


async def remove(request: Request, rooms: Rooms) -> Response:
    """Have a model launched at start no more."""
    with refused():
        await rooms.autostarts.remove(request.path_params["uid"])
    return json_answer(_told(rooms))


def _told(rooms: Rooms) -> dict[str, Any]:
    return {
        "version": 1,
        "models": [
            {
                "launch": payload_of(plan.launch),
                "enabled": plan.enabled,
                "priority": plan.priority,
                "max_retries": plan.retries,
                "retry_interval_seconds": plan.retry_seconds,
            }
            for plan in rooms.autostarts.all()
        ],
    }


AUTOSTART_OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/autostart/models",
        handle=configuration,
        summary="List the models that are launched when the server starts.",
    ),
    Operation(
        method="GET",
        path="/v1/autostart/models/summary",
        handle=summary,
        summary="How many models are launched when the server starts.",
    ),
    Operation(
        method="POST",
        path="/v1/autostart/models",
        handle=put,
        summary="Have a model launched when the server starts.",
        request=AutostartRequest,
        example={"launch": {"model_name": "all-MiniLM-L6-v2", "model_type": "embedding"}},
        errors=(InvalidInput,),
    ),
    Operation(
        method="DELETE",
        path="/v1/autostart/models/{uid:path}",
        handle=remove,
        summary="Have a model launched at start no more.",
        errors=(InvalidInput,),
    ),
)
