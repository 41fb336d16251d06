"""What was launched and with what, for launching it again: the launches that the server keeps."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NoReturn

from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import json_answer
from stelae.dialects.base import Operation, Rooms
from stelae.dialects.xinference.payload import payload_of
from stelae.errors import Forbidden
from stelae.types import Autostart, LaunchInfo


async def history(request: Request, rooms: Rooms) -> Response:
    """Every launch that is not taken down, or those of a model; the latest first."""
    wanted = request.query_params.get("model_name") or None
    plans = {plan.launch.uid: plan for plan in rooms.autostarts.all()}
    found = sorted(rooms.launches.all(), key=lambda info: info.created, reverse=True)
    return json_answer(
        [_told(info, plans.get(info.uid)) for info in found if wanted in (None, info.call.model)]
    )


def _told(info: LaunchInfo, plan: Autostart | None) -> dict[str, Any]:
    when = datetime.fromtimestamp(info.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    start = plan or Autostart(launch=info.call, enabled=False)
    return {
        "model_name": info.call.model,
        "model_uid": info.uid,
        "data": payload_of(info.call),
        "ui_data": {},
        "autostart_enabled": start.enabled,
        "autostart_priority": start.priority,
        "autostart_max_retries": start.retries,
        "autostart_retry_interval_seconds": start.retry_seconds,
        "created_by": "",
        "updated_by": "",
        "created_at": when,
        "updated_at": when,
        "is_owner": True,
    }


async def change(request: Request, rooms: Rooms) -> NoReturn:
    """Refuse to note or forget what was launched.

    Raises:
        Forbidden: Always.
    """
    del request, rooms
    raise Forbidden(
        "launches are noted by themselves, and forgotten when they are taken down",
        hint="POST /v1/models launches a model, DELETE /v1/models/UID takes it down",
    )


HISTORY_OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/launch_history",
        handle=history,
        summary="What is launched, and with what; of one model with `model_name`.",
    ),
    Operation(
        method="POST",
        path="/v1/launch_history",
        handle=change,
        summary="Refused: launches are noted by themselves.",
        errors=(Forbidden,),
    ),
    Operation(
        method="DELETE",
        path="/v1/launch_history/{name:path}",
        handle=change,
        summary="Refused: launches are forgotten when they are taken down.",
        errors=(Forbidden,),
    ),
)
