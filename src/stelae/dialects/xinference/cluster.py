"""The cluster as Xinference's clients see it: one supervisor and one worker, this server."""

from __future__ import annotations

import os
import time
from typing import Any, NoReturn

import psutil
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import json_answer
from stelae.dialects.base import Handle, Operation, Rooms
from stelae.dialects.xinference.launching import truth
from stelae.dialects.xinference.models import address_of, launched, model
from stelae.dialects.xinference.words import replica_uid
from stelae.errors import Forbidden
from stelae.types import ModelState, Worker


async def auth(request: Request, rooms: Rooms) -> Response:
    """Whether the server needs a key."""
    del request
    return json_answer({"auth": bool(rooms.keys)})


async def version(request: Request, rooms: Rooms) -> Response:
    """The version of the server."""
    del request
    return json_answer({"version": rooms.about.version, "full-revisionid": None})


async def address(request: Request, rooms: Rooms) -> Response:
    """Host and port of the supervisor, which is the server itself."""
    del request
    return json_answer(address_of(rooms.about))


async def workers(request: Request, rooms: Rooms) -> Response:
    """The worker, and the replicas of loaded models on it."""
    del request
    launches = launched(rooms)
    models: dict[str, Any] = {}
    for info in rooms.fleet.models():
        if info.state is not ModelState.READY:
            continue
        launch = launches.get(info.name)
        numbers = [0] if launch is None else [replica.number for replica in launch.replicas]
        shown = model(rooms, info, launch)
        models |= {replica_uid(info.name, number): shown for number in numbers}
    return json_answer([{"work-ip": address_of(rooms.about), "models": models}])


async def supervisor(request: Request, rooms: Rooms) -> Response:
    """The address of the supervisor."""
    del request
    return json_answer({"supervisor_ip": address_of(rooms.about)})


async def stop(request: Request, rooms: Rooms) -> NoReturn:
    """Refuse to stop the server.

    Raises:
        Forbidden: Always.
    """
    del request, rooms
    raise Forbidden(
        "the server is stopped by whoever runs it, not over the network",
        hint="DELETE /v1/models/UID takes a model down",
    )


async def devices(request: Request, rooms: Rooms) -> Response:
    """How many GPUs there are."""
    del request
    return json_answer(len(_worker(rooms).gpus))


async def info(request: Request, rooms: Rooms) -> Response:
    """The machines of the cluster; in detail with what they have to give."""
    worker, place = _worker(rooms), address_of(rooms.about)
    common = {"ip_address": place, "gpu_count": len(worker.gpus), "gpu_vram_total": 0}
    nodes: list[dict[str, Any]] = [
        {"node_type": node, **common} for node in ("Supervisor", "Worker")
    ]
    if truth(request, "detailed", otherwise=False):
        nodes = [{**node, **_detail(worker)} for node in nodes]
    return json_answer(nodes)


def _detail(worker: Worker) -> dict[str, Any]:
    cores = os.cpu_count() or 1
    return {
        "cpu_count": cores,
        "cpu_available": round(cores * (1 - psutil.cpu_percent() / 100), 2),
        "mem_used": worker.memory_used_bytes,
        "mem_available": worker.memory_total_bytes - worker.memory_used_bytes,
        "mem_total": worker.memory_total_bytes,
        "gpu_vram_available": 0,
        "gpu_utilization": None,
    }


async def status(request: Request, rooms: Rooms) -> Response:
    """How the worker is."""
    del request
    worker, now = _worker(rooms), time.time()
    total = worker.memory_total_bytes
    cpu = {
        "usage": psutil.cpu_percent() / 100,
        "total": os.cpu_count() or 1,
        "memory_used": worker.memory_used_bytes,
        "memory_available": total - worker.memory_used_bytes,
        "memory_total": total,
    }
    cards = {f"gpu-{number}": {"name": name} for number, name in enumerate(worker.gpus)}
    one = {"update_time": now, "failure_remaining_count": 5, "status": {"cpu": cpu, **cards}}
    told = {
        "uptime": max(0, int(now - rooms.about.started)),
        "workers": {address_of(rooms.about): one},
    }
    return json_answer(told)


def _worker(rooms: Rooms) -> Worker:
    """This machine; an empty one while the server shuts down."""
    found = rooms.lookout.capacity().workers
    return found[0] if found else Worker(name="", profile="")


def _get(path: str, handle: Handle, summary: str, *, open: bool = False) -> Operation:
    return Operation(method="GET", path=path, handle=handle, summary=summary, open=open)


CLUSTER_OPERATIONS = (
    _get("/v1/cluster/auth", auth, "Whether the server needs a key.", open=True),
    _get("/v1/cluster/version", version, "The version of the server."),
    _get("/v1/cluster/devices", devices, "How many GPUs there are."),
    _get("/v1/cluster/info", info, "The machines of the cluster: this one."),
    _get("/v1/address", address, "Host and port of the server."),
    _get("/v1/workers", workers, "The worker and its models."),
    _get("/v1/supervisor", supervisor, "The address of the supervisor."),
    _get("/status", status, "How the worker is.", open=True),
    Operation(
        method="DELETE",
        path="/v1/clusters",
        handle=stop,
        summary="Refused: the server is stopped by whoever runs it.",
        errors=(Forbidden,),
    ),
)
