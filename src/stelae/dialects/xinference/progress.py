"""How far launches are, what is there of them, and what has happened to them."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import json_answer
from stelae.dialects.base import Operation, Rooms
from stelae.dialects.xinference.models import card_of, launched
from stelae.dialects.xinference.refusals import UIDS, renamed
from stelae.dialects.xinference.versions import version_of
from stelae.dialects.xinference.words import abilities, replica_uid, type_of
from stelae.errors import Conflict, ModelNotFound
from stelae.types import FileProgress, LaunchInfo, ModelState, ReplicaInfo, Stage

STATUSES = {
    Stage.PENDING: "CREATING",
    Stage.DOWNLOADING: "CREATING",
    Stage.LOADING: "LOADING",
    Stage.READY: "READY",
    Stage.FAILED: "ERROR",
    Stage.CANCELLED: "TERMINATED",
}
"""Stages of a launch in the clients' words."""

STATES = {
    ModelState.AVAILABLE: "CREATING",
    ModelState.LOADING: "LOADING",
    ModelState.READY: "READY",
    ModelState.STOPPING: "TERMINATING",
    ModelState.FAILED: "ERROR",
}
"""States of a replica, likewise."""

DONE = frozenset({ModelState.READY})
ALMOST = 0.99
MOST = 100
"""Events that are told."""

NOTHING = {"progress": 0.0, "stage": "pending", "download_files": [], "replicas": []}
"""The progress of a model that nobody launched."""


async def progress(request: Request, rooms: Rooms) -> Response:
    """How far a launch is; one that there is not has not begun."""
    uid = request.path_params["uid"]
    try:
        info = rooms.launches.info(uid)
    except ModelNotFound:
        return json_answer(_progress_of_known(rooms, uid))
    files = [_file(file) for file in info.files]
    return json_answer(
        {
            "progress": part_of(info),
            "stage": info.stage,
            "download_files": files,
            "replicas": [_replica_progress(info, replica, files) for replica in info.replicas],
            **({} if info.error is None else {"error": info.error.message}),
        }
    )


def part_of(info: LaunchInfo) -> float:
    """How far a launch is; clients take 1 for an end."""
    return info.progress if info.stage is Stage.READY else min(info.progress, ALMOST)


def _progress_of_known(rooms: Rooms, uid: str) -> dict[str, Any]:
    """Of a model that the settings name."""
    try:
        state = rooms.fleet.model(uid).state
    except ModelNotFound:
        return NOTHING
    return {**NOTHING, "progress": 1.0, "stage": "ready"} if state in DONE else NOTHING


def _file(file: FileProgress) -> dict[str, Any]:
    part = file.done / file.total if file.total else 0.0
    return {
        "filename": file.name,
        "downloaded_bytes": file.done,
        "total_bytes": file.total,
        "progress": min(1.0, part),
    }


def _replica_progress(
    info: LaunchInfo, replica: ReplicaInfo, files: list[dict[str, Any]]
) -> dict[str, Any]:
    ready = replica.state in DONE
    return {
        "replica_id": replica.number,
        "replica_model_uid": replica_uid(info.uid, replica.number),
        "progress": 1.0 if ready else part_of(info),
        "stage": "ready" if ready else info.stage,
        "info": "" if replica.error is None else replica.error.message,
        "updated_at": replica.started or info.created,
        "download_files": files,
    }


async def cancel(request: Request, rooms: Rooms) -> Response:
    """Stop a launch that is not ready."""
    try:
        await rooms.launches.cancel(request.path_params["uid"])
    except (ModelNotFound, Conflict) as error:
        renamed(error, UIDS)
        raise Conflict(error.message, param=error.param, hint=error.hint) from error
    return json_answer(None)


async def instances(request: Request, rooms: Rooms) -> Response:
    """Every launched model, or those of a name and uid."""
    wanted = {
        "model_name": request.query_params.get("model_name"),
        "model_uid": request.query_params.get("model_uid"),
    }
    told = [_instance(rooms, info) for info in launched(rooms).values()]
    shown = [
        one for one in told if all(not given or one[key] == given for key, given in wanted.items())
    ]
    return json_answer(shown)


def _instance(rooms: Rooms, info: LaunchInfo) -> dict[str, Any]:
    known = rooms.fleet.model(info.uid)
    card = card_of(rooms, info.call.model)
    kind = type_of(known, card)
    return {
        "model_name": info.call.model,
        "model_uid": info.uid,
        "model_version": version_of(card, info.call) if card is not None else info.call.model,
        "model_ability": abilities(known, card, kind),
        "replica": info.call.replicas,
        "status": STATUSES[info.stage],
        "instance_created_ts": int(info.created),
        "n_worker": 1,
        "replica_statuses": [replica_of(rooms, info, replica) for replica in info.replicas],
    }


def replica_of(rooms: Rooms, info: LaunchInfo, replica: ReplicaInfo) -> dict[str, Any]:
    """One replica of a launched model."""
    address = rooms.about.url.rpartition("/")[2]
    return {
        "replica_id": replica.number,
        "replica_model_uid": replica_uid(info.uid, replica.number),
        "replica_uid": None,
        "worker_address": address,
        "model_address": address,
        "accelerators": [str(gpu) for gpu in replica.gpus],
        "gpu_idx": list(replica.gpus),
        "status": STATES[replica.state],
        "created_ts": int(replica.started or info.created),
        "error_message": None if replica.error is None else replica.error.message,
    }


async def events(request: Request, rooms: Rooms) -> Response:
    """What has happened to a launched model, as far as is known."""
    try:
        info = rooms.launches.info(request.path_params["uid"])
    except ModelNotFound:
        return json_answer([])
    return json_answer(_events(info)[-MOST:])


def _events(info: LaunchInfo) -> list[dict[str, Any]]:
    told = [("INFO", info.created, f"the launch of {info.call.model} began")]
    for replica in info.replicas:
        name = replica_uid(info.uid, replica.number)
        if replica.started:
            told.append(("INFO", replica.started, f"{name} was started"))
        if replica.restarts:
            text = f"the worker of {name} was replaced {replica.restarts} times"
            told.append(("WARNING", replica.started, text))
        if replica.error is not None:
            told.append(("ERROR", replica.started or info.created, replica.error.message))
    if info.error is not None:
        told.append(("ERROR", info.created, info.error.message))
    names = ("event_type", "event_ts", "event_content")
    return [
        dict(zip(names, (kind, int(when), text), strict=True))
        for kind, when, text in sorted(told, key=lambda event: event[1])
    ]


def _operation(method: str, path: str, handle: Any, summary: str) -> Operation:
    return Operation(method=method, path=path, handle=handle, summary=summary)


PROGRESS_OPERATIONS = (
    _operation("GET", "/v1/models/instances", instances, "Tell of launched models."),
    _operation("GET", "/v1/models/{uid:path}/progress", progress, "Tell how far a launch is."),
    _operation("POST", "/v1/models/{uid:path}/cancel", cancel, "Stop a launch."),
    _operation("GET", "/v1/models/{uid:path}/events", events, "Tell what happened to a model."),
)
