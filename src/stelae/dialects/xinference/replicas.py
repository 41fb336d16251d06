"""Replicas of launched models: listed, added and taken away."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import json_answer
from stelae.dialects.base import Operation, Rooms
from stelae.dialects.decode import decode, whole
from stelae.dialects.xinference.launch_schema import ReplicaConfig
from stelae.dialects.xinference.placement import AUTO, first_cards, place_of, positive
from stelae.dialects.xinference.progress import replica_of
from stelae.dialects.xinference.refusals import UIDS, refused
from stelae.errors import InvalidInput, ModelNotReady, NoCapacity
from stelae.service.launch_rules import check_more
from stelae.types import ReplicaInfo

MOST = 64
"""Replicas added at once."""

SENT = {**UIDS, "replicas": "replica"}
"""Fields of a call that stand for one of this protocol's under another name."""


class XinferenceReplicas(msgspec.Struct, frozen=True, kw_only=True):
    """Replicas to add.

    Attributes:
        replica: How many.
        replica_config: Where each of them runs: one entry, or as many as replicas.
        n_gpu: GPUs of each: as the launch says if ``auto``, the CPU if 0.
        model_engine: Refused: replicas of a model are alike.
    """

    replica: int | str | None = 1
    replica_config: ReplicaConfig | list[ReplicaConfig] | None = None
    n_gpu: int | str | None = None
    model_engine: str | None = None


_DECODER = msgspec.json.Decoder(XinferenceReplicas)


async def list_replicas(request: Request, rooms: Rooms) -> Response:
    """The replicas of a launched model."""
    with refused():
        info = rooms.launches.info(request.path_params["uid"])
    return json_answer([replica_of(rooms, info, replica) for replica in info.replicas])


async def add_replicas(request: Request, rooms: Rooms) -> Response:
    """Load a launched model once more, or several times; answers when they do."""
    uid = request.path_params["uid"]
    body = await whole(request)
    asked = decode(_DECODER, body) if body.strip() else XinferenceReplicas()
    with refused(SENT):
        there = len(rooms.launches.info(uid).replicas)
        places = _places(asked, rooms)
        check_more(uid, there, len(places))
        added = [await rooms.launches.add_replica(uid, gpus) for gpus in places]
    told = [_added(rooms, uid, replica) for replica in added]
    if len(told) == 1:
        return json_answer(told[0])
    return json_answer({"replica": len(told), "replicas": told})


def _places(asked: XinferenceReplicas, rooms: Rooms) -> list[tuple[int, ...] | None]:
    """The GPUs of each replica that is added; ``None`` for those that the launch gave."""
    if asked.model_engine is not None:
        raise InvalidInput(
            f"model_engine={asked.model_engine[:80]!r}: all replicas of a model run on its engine",
            param="model_engine",
            hint="launch the model once more under another uid",
        )
    workers = rooms.lookout.capacity().workers
    cards = len(workers[0].gpus) if workers else 0
    configs = asked.replica_config
    if configs is None:
        count = positive(1 if asked.replica is None else asked.replica, "replica")
        _check_most(count, "replica")
        place = None if asked.n_gpu in (None, AUTO) else first_cards(asked.n_gpu, cards, "n_gpu")
        return [place] * count
    listed = [configs] if isinstance(configs, ReplicaConfig) else configs
    _check_most(len(listed), "replica_config")
    return [place_of(config, f"replica_config[{n}]", cards) for n, config in enumerate(listed)]


def _check_most(count: int, param: str) -> None:
    if not 1 <= count <= MOST:
        raise InvalidInput(
            f"{param}: {count} are asked for; 1 to {MOST} are added at once", param=param
        )


def _added(rooms: Rooms, uid: str, replica: ReplicaInfo) -> dict[str, Any]:
    told = replica_of(rooms, rooms.launches.info(uid), replica)
    return {key: told[key] for key in ("replica_id", "replica_model_uid", "worker_address")}


async def remove_replica(request: Request, rooms: Rooms) -> Response:
    """Take a replica away; with the last one the model goes."""
    asked = request.path_params
    with refused():
        left = await rooms.launches.remove_replica(asked["uid"], asked["replica"])
    return json_answer({"remaining_replicas": left})


REPLICA_OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/models/{uid:path}/replicas",
        handle=list_replicas,
        summary="List the replicas of a launched model.",
        errors=(InvalidInput,),
    ),
    Operation(
        method="POST",
        path="/v1/models/{uid:path}/replicas",
        handle=add_replicas,
        summary="Add replicas to a launched model.",
        request=XinferenceReplicas,
        example={"replica": 1},
        errors=(InvalidInput, ModelNotReady, NoCapacity),
    ),
    Operation(
        method="DELETE",
        path="/v1/models/{uid:path}/replicas/{replica:int}",
        handle=remove_replica,
        summary="Take a replica of a launched model away.",
        errors=(InvalidInput,),
    ),
)
