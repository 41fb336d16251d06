"""What of the hub is on this machine; virtual environments, of which there are none."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import json_answer
from stelae.dialects.base import Operation, Rooms
from stelae.dialects.xinference.models import address_of, whole
from stelae.dialects.xinference.refusals import refused
from stelae.errors import InvalidInput, ModelNotFound
from stelae.types import CachedModel


async def cached(request: Request, rooms: Rooms) -> Response:
    """Models whose files are here."""
    try:
        found = await rooms.registry.cached(request.query_params.get("model_name") or None)
    except ModelNotFound:
        found = []
    return json_answer({"list": [_cached(rooms, model) for model in found]})


def _cached(rooms: Rooms, model: CachedModel) -> dict[str, Any]:
    return {
        "model_name": model.model,
        "model_size_in_billions": whole(model.size),
        "model_format": model.format,
        "quantization": model.quantization,
        "model_version": model.version,
        "path": model.path,
        "real_path": model.path,
        "actor_ip_address": address_of(rooms.about),
        "model_file_size": model.bytes,
        "complete": model.complete,
    }


async def files(request: Request, rooms: Rooms) -> Response:
    """Paths of a model's files."""
    version = _version(request)
    found = [m for m in await rooms.registry.cached() if m.version == version]
    return json_answer(
        {
            "model_version": version,
            "worker_ip": address_of(rooms.about),
            "paths": [path for model in found for path in model.files],
        }
    )


async def remove(request: Request, rooms: Rooms) -> Response:
    """Remove a model's files."""
    with refused():
        await rooms.registry.uncache(_version(request))
    return json_answer({"result": True})


def _version(request: Request) -> str:
    if not (version := request.query_params.get("model_version", "").strip()):
        raise InvalidInput("the query 'model_version' is missing", param="model_version")
    return version


async def environments(request: Request, rooms: Rooms) -> Response:
    """Virtual environments of models: none, they share the server's packages."""
    del request, rooms
    return json_answer({"list": []})


async def remove_environment(request: Request, rooms: Rooms) -> Response:
    """Tell that there was no virtual environment to remove."""
    del request, rooms
    return json_answer({"result": False})


CACHE_OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/cache/models",
        handle=cached,
        summary="List the models whose files are here.",
    ),
    Operation(
        method="GET",
        path="/v1/cache/models/files",
        handle=files,
        summary="List the files of a model.",
        errors=(InvalidInput,),
    ),
    Operation(
        method="DELETE",
        path="/v1/cache/models",
        handle=remove,
        summary="Remove the files of a model.",
        errors=(InvalidInput,),
    ),
    Operation(
        method="GET",
        path="/v1/virtualenvs",
        handle=environments,
        summary="List virtual environments: none.",
    ),
    Operation(
        method="DELETE",
        path="/v1/virtualenvs",
        handle=remove_environment,
        summary="Tell that there was no virtual environment.",
    ),
)
