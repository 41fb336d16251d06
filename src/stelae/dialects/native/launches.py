"""Models that are launched under names of their own, and how far they are."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.base import Operation, Rooms
from stelae.dialects.decode import Decoder, decode, read, whole
from stelae.dialects.native import convert
from stelae.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    ModelLoadFailed,
    ModelNotFound,
    ModelNotReady,
    NoCapacity,
    NotFound,
)
from stelae.types import Autostart, LaunchCall, LaunchInfo, ReplicaInfo


class LaunchRequest(LaunchCall, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model to launch.

    Attributes:
        wait: Whether the answer comes once it is ready, or cannot be; else at once.
    """

    wait: bool = False


class ReplicaRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A further replica.

    Attributes:
        gpus: GPUs that it sees; as the launch says if ``None``.
    """

    gpus: tuple[int, ...] | None = None


class LaunchesResponse(msgspec.Struct, frozen=True, kw_only=True):
    """Every launched model, the oldest first."""

    launches: list[LaunchInfo]


class ReplicasResponse(msgspec.Struct, frozen=True, kw_only=True):
    """The replicas of a launched model, by number."""

    replicas: tuple[ReplicaInfo, ...]


class RemovedResponse(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of a model; without a replica it is not launched any more."""

    remaining: int


class AutostartsResponse(msgspec.Struct, frozen=True, kw_only=True):
    """What is launched when the server starts, in that order."""

    autostarts: list[Autostart]


T = TypeVar("T", bound=msgspec.Struct)


def _decoders(kind: type[T]) -> dict[convert.Media, Decoder[T]]:
    return {
        convert.Media.JSON: msgspec.json.Decoder(kind),
        convert.Media.MSGPACK: msgspec.msgpack.Decoder(kind),
    }


_LAUNCHES, _REPLICAS = _decoders(LaunchRequest), _decoders(ReplicaRequest)
_PLANS = _decoders(Autostart)


async def launch(request: Request, rooms: Rooms) -> Response:
    """Launch a model."""
    asked = decode(_LAUNCHES[convert.sent(request)], await read(request))
    call = msgspec.convert(asked, LaunchCall, from_attributes=True)
    info = await rooms.launches.launch(call)
    if asked.wait:
        info = await rooms.launches.ready(info.uid)
    return convert.answer(info, request)


async def list_launches(request: Request, rooms: Rooms) -> Response:
    """Every launched model."""
    return convert.answer(LaunchesResponse(launches=rooms.launches.all()), request)


async def get_launch(request: Request, rooms: Rooms) -> Response:
    """One launch, also one that failed or was cancelled."""
    return convert.answer(rooms.launches.info(request.path_params["uid"]), request)


async def terminate(request: Request, rooms: Rooms) -> Response:
    """Take a launched model down, and tell how it stood."""
    uid = request.path_params["uid"]
    info = rooms.launches.info(uid)
    await rooms.launches.terminate(uid)
    return convert.answer(info, request)


async def cancel(request: Request, rooms: Rooms) -> Response:
    """Stop a launch that is under way."""
    return convert.answer(await rooms.launches.cancel(request.path_params["uid"]), request)


async def list_replicas(request: Request, rooms: Rooms) -> Response:
    """The replicas of a launched model."""
    info = rooms.launches.info(request.path_params["uid"])
    return convert.answer(ReplicasResponse(replicas=info.replicas), request)


async def add_replica(request: Request, rooms: Rooms) -> Response:
    """Load a launched model once more."""
    body = await whole(request)
    asked = decode(_REPLICAS[convert.sent(request)], body) if body else ReplicaRequest()
    made = await rooms.launches.add_replica(request.path_params["uid"], asked.gpus)
    return convert.answer(made, request)


async def remove_replica(request: Request, rooms: Rooms) -> Response:
    """Stop one replica of a launched model."""
    params = request.path_params
    left = await rooms.launches.remove_replica(params["uid"], params["number"])
    return convert.answer(RemovedResponse(remaining=left), request)


async def list_autostarts(request: Request, rooms: Rooms) -> Response:
    """What is launched when the server starts."""
    return convert.answer(AutostartsResponse(autostarts=rooms.autostarts.all()), request)


async def put_autostart(request: Request, rooms: Rooms) -> Response:
    """Have a model launched when the server starts."""
    plan = decode(_PLANS[convert.sent(request)], await read(request))
    return convert.answer(await rooms.autostarts.put(plan), request)


async def remove_autostart(request: Request, rooms: Rooms) -> Response:
    """Have a model launched at start no more."""
    uid = request.path_params["uid"]
    plan = rooms.autostarts.get(uid)
    await rooms.autostarts.remove(uid)
    return convert.answer(plan, request)


_BOTH = ("application/json", "application/msgpack")
_LAUNCH = "/stelae/v1/launches/{uid:path}"

LAUNCH_OPERATIONS = (
    Operation(
        method="POST",
        path="/stelae/v1/launches",
        handle=launch,
        summary="Launch a model under a name of its own.",
        request=LaunchRequest,
        example={"model": "all-MiniLM-L6-v2", "uid": "my-embedder", "wait": True},
        response=LaunchInfo,
        errors=(InvalidInput, ModelNotFound, Forbidden, Conflict, ModelLoadFailed, NoCapacity),
        media=_BOTH,
    ),
    Operation(
        method="GET",
        path="/stelae/v1/launches",
        handle=list_launches,
        summary="List the launched models.",
        response=LaunchesResponse,
        media=_BOTH,
    ),
    Operation(
        method="POST",
        path=f"{_LAUNCH}/cancel",
        handle=cancel,
        summary="Stop a launch that is under way.",
        response=LaunchInfo,
        errors=(ModelNotFound, Conflict),
        media=_BOTH,
    ),
    Operation(
        method="GET",
        path=f"{_LAUNCH}/replicas",
        handle=list_replicas,
        summary="List the replicas of a launched model.",
        response=ReplicasResponse,
        errors=(ModelNotFound,),
        media=_BOTH,
    ),
    Operation(
        method="POST",
        path=f"{_LAUNCH}/replicas",
        handle=add_replica,
        summary="Load a launched model once more; answers when that is done.",
        request=ReplicaRequest,
        example={"gpus": []},
        response=ReplicaInfo,
        errors=(ModelNotFound, InvalidInput, ModelNotReady, NoCapacity),
        media=_BOTH,
    ),
    Operation(
        method="DELETE",
        path=f"{_LAUNCH}/replicas/{{number:int}}",
        handle=remove_replica,
        summary="Stop one replica of a launched model; the last one takes the model down.",
        response=RemovedResponse,
        errors=(ModelNotFound, NotFound),
        media=_BOTH,
    ),
    Operation(
        method="GET",
        path=_LAUNCH,
        handle=get_launch,
        summary="Describe one launch: its stage, what is fetched, its replicas.",
        response=LaunchInfo,
        errors=(ModelNotFound,),
        media=_BOTH,
    ),
    Operation(
        method="DELETE",
        path=_LAUNCH,
        handle=terminate,
        summary="Take a launched model down; what it has accepted is answered first.",
        response=LaunchInfo,
        errors=(ModelNotFound,),
        media=_BOTH,
    ),
    Operation(
        method="GET",
        path="/stelae/v1/autostarts",
        handle=list_autostarts,
        summary="List what is launched when the server starts.",
        response=AutostartsResponse,
        media=_BOTH,
    ),
    Operation(
        method="POST",
        path="/stelae/v1/autostarts",
        handle=put_autostart,
        summary="Have a model launched when the server starts, or change how.",
        request=Autostart,
        example={"launch": {"model": "all-MiniLM-L6-v2", "uid": "my-embedder"}},
        response=Autostart,
        errors=(InvalidInput, Conflict),
        media=_BOTH,
    ),
    Operation(
        method="DELETE",
        path="/stelae/v1/autostarts/{uid:path}",
        handle=remove_autostart,
        summary="Have a model launched at start no more; one that is launched stays so.",
        response=Autostart,
        errors=(ModelNotFound,),
        media=_BOTH,
    ),
)
