"""Launching models as Xinference's clients do."""

from __future__ import annotations

import socket
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import json_answer
from stelae.dialects.base import Operation, Rooms, record_of
from stelae.dialects.decode import decode, read
from stelae.dialects.xinference.launch_read import Understood, of_version, sent, understand
from stelae.dialects.xinference.launch_schema import Launched, XinferenceInstance, XinferenceLaunch
from stelae.dialects.xinference.models import address_of
from stelae.dialects.xinference.refusals import refused
from stelae.errors import InvalidInput, ModelLoadFailed, NoCapacity, UnsupportedTask
from stelae.telemetry.log import get

log = get()

TRUTHS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}

_FIELDS = msgspec.json.Decoder(dict[str, Any])
_INSTANCE = msgspec.json.Decoder(XinferenceInstance)


async def launch(request: Request, rooms: Rooms) -> Response:
    """Launch a model, and wait until it answers unless the caller will not."""
    wait = truth(request, "wait_ready", otherwise=True)
    return await _launched(request, rooms, decode(_FIELDS, await read(request)), wait)


async def launch_version(request: Request, rooms: Rooms) -> Response:
    """Launch one version of a model."""
    asked = decode(_INSTANCE, await read(request))
    wait = truth(request, "wait_ready", otherwise=True)
    return await _launched(request, rooms, of_version(asked), wait)


async def _launched(request: Request, rooms: Rooms, fields: dict[str, Any], wait: bool) -> Response:
    asked = understood(rooms, fields)
    with refused(sent(fields)):
        info = await rooms.launches.launch(asked.call)
    record_of(request).model = info.uid
    headers = told_back(asked, info.uid)
    if wait:
        with refused(sent(fields)):
            await rooms.launches.ready(info.uid)
    return json_answer(Launched(model_uid=info.uid), headers=headers)


def told_back(asked: Understood, uid: str) -> dict[str, str]:
    """Headers that name what of a launch means nothing here; the log has it too."""
    if not asked.ignored:
        return {}
    log.warning("launch_options_ignored", model=uid, options=list(asked.ignored))
    return {"X-Stelae-Ignored": ", ".join(map(ascii, asked.ignored))[:1024]}


def understood(rooms: Rooms, fields: dict[str, Any]) -> Understood:
    """The body of a launch, as this machine understands it.

    Raises:
        InvalidInput: As ``understand`` says.
    """
    workers = rooms.lookout.capacity().workers
    own = address_of(rooms.about).rpartition(":")[0]
    hosts = {own, "127.0.0.1", "localhost", "0.0.0.0", socket.gethostname()}  # noqa: S104  # a name
    cards = len(workers[0].gpus) if workers else 0
    return understand(fields, cards=cards, hosts=hosts)


def truth(request: Request, name: str, *, otherwise: bool) -> bool:
    """A truth in the query, in any case.

    Raises:
        InvalidInput: It is none.
    """
    given = request.query_params.get(name)
    if given is None:
        return otherwise
    if (said := TRUTHS.get(given.strip().casefold())) is None:
        raise InvalidInput(f"{name}={given[:20]!r}: true or false was expected", param=name)
    return said


LAUNCHING_OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/models",
        handle=launch,
        summary="Launch a model; `wait_ready=false` does not wait until it answers.",
        request=XinferenceLaunch,
        example={"model_name": "all-MiniLM-L6-v2", "model_type": "embedding"},
        response=Launched,
        errors=(InvalidInput, UnsupportedTask, ModelLoadFailed, NoCapacity),
    ),
    Operation(
        method="POST",
        path="/v1/models/instance",
        handle=launch_version,
        summary="Launch one version of a model.",
        request=XinferenceInstance,
        example={"model_version": "qwen3--0.6B--pytorch--none", "model_uid": "my-chat"},
        response=Launched,
        errors=(InvalidInput, UnsupportedTask, ModelLoadFailed, NoCapacity),
    ),
)
