"""The SDK's jobs: many items in one request, encoded in the background, fetched in chunks."""

from __future__ import annotations

import secrets
import time
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import json_answer
from stelae.dialects.base import Operation, Rooms, address_of, owner_of
from stelae.dialects.decode import decode, read
from stelae.dialects.sie.arrays import list_of, map_of, pack
from stelae.dialects.sie.encode import encode_call, encode_items
from stelae.dialects.sie.errors import version_headers
from stelae.dialects.sie.schema import EncodeParams, EncodeRequest, ItemIn, Job, JobRequest, Jobs
from stelae.errors import (
    RETRYABLE,
    ErrorInfo,
    InvalidInput,
    ModelNotFound,
    NotFound,
    StelaeError,
    from_info,
)
from stelae.service.inference import Caller, Inference
from stelae.service.store import Store, Work
from stelae.service.works import Kind
from stelae.types import ModelInfo
from stelae.wire.sie.codes import code_of

KIND = "job"

OPERATIONS = ("encode",)
"""What a job may do here."""

CHUNK = 128
"""Items of one chunk."""

FAILED = "INFERENCE_ERROR"
"""Code of a job that ended before all its chunks were there."""

LONGEST_NUMBER = 9
"""Digits of a chunk's number at most."""

STATES = {"done": "succeeded", "cancelling": "running"}
"""States of jobs by those of work; others are the same."""


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """One chunk of a job."""

    model: str
    items: list[ItemIn]
    params: EncodeParams


class Row(msgspec.Struct, frozen=True):
    """What a chunk says of an item, without its vectors."""

    success: bool
    error: str = ""
    error_code: str = ""


_ROWS = msgspec.msgpack.Decoder(list[Row])
_REQUEST = msgspec.json.Decoder(JobRequest)
_UNIT = msgspec.json.Decoder(Unit)


async def submit(request: Request, rooms: Rooms) -> Response:
    """Take a job on."""
    asked = decode(_REQUEST, await read(request))
    if asked.src is not None or asked.items is None:
        raise InvalidInput("src: jobs here encode the items that come with them", param="items")
    if asked.operation not in OPERATIONS:
        raise InvalidInput(
            f"operation={asked.operation!r}: jobs here do {', '.join(OPERATIONS)}",
            param="operation",
        )
    info = rooms.fleet.model(asked.model)
    params = EncodeParams(output_types=asked.output_types, options=asked.options)
    made = encode_call(EncodeRequest(items=asked.items, params=params), asked.model, info)
    rooms.fleet.model(made.call.model)  # with its profile
    facts = {
        "operation": asked.operation,
        "model": asked.model,
        "items": len(asked.items),
        "token": secrets.token_urlsafe(24),
    }
    work = await rooms.works.begin(KIND, facts, _units(asked, params), owner_of(request))
    answer = msgspec.to_builtins(job(work)) | {"chunks": work.total}
    return json_answer(answer, 201, version_headers(request.headers))


def _units(asked: JobRequest, params: EncodeParams) -> list[bytes]:
    items = asked.items or []
    chunks = [items[start : start + CHUNK] for start in range(0, len(items), CHUNK)]
    return [msgspec.json.encode(Unit(model=asked.model, items=c, params=params)) for c in chunks]


async def run(data: bytes, inference: Inference, caller: Caller) -> tuple[bytes, bool]:
    """Encode one chunk; items that fail say why."""
    unit = _UNIT.decode(data)
    asked = EncodeRequest(items=unit.items, params=unit.params)
    try:
        made = encode_call(asked, unit.model, ModelInfo(name=unit.model, source=""))
        result = await inference.encode(made.call, caller)
    except StelaeError as error:
        if error.code in RETRYABLE:
            raise
        return _all_failed(unit, error), False
    items = encode_items(result, made)
    pieces = [list_of(len(items))]
    for index, (item, given) in enumerate(zip(items, made.ids, strict=True)):
        tokens = int(result.tokens[index])
        pieces.append(_row(given, tokens, item, result.errors.get(index)))
    return b"".join(pieces), not result.errors


def _row(name: str | None, tokens: int, item: bytes, failed: ErrorInfo | None) -> bytes:
    """What the SDK reads of one item."""
    said: dict[str, Any] = {"work_item_id": name, "success": failed is None, "units": tokens}
    if failed is None:
        said["result_msgpack"] = item
    else:
        error = from_info(failed)
        said |= {"error": str(error), "error_code": code_of(error)}
    return map_of(len(said)) + b"".join(pack(key) + pack(value) for key, value in said.items())


def _all_failed(unit: Unit, error: StelaeError) -> bytes:
    rows = [_row(item.id, 0, b"", error.info) for item in unit.items]
    return list_of(len(rows)) + b"".join(rows)


def close(work: Work, store: Store) -> dict[str, Any]:
    """Note when a job was over and what failed of it; its chunks stay where they are."""
    chunks = store.outputs(work.id, ok=False)
    failed = [row for chunk in chunks for row in _ROWS.decode(chunk) if not row.success]
    facts: dict[str, Any] = {"over_at": time.time(), "failed_items": len(failed)}
    if failed:
        facts |= {"error": failed[0].error, "error_code": failed[0].error_code}
    return facts


JOBS = Kind(KIND, "job", run, close)


def job(work: Work, chunks: list[dict[str, Any]] | None = None) -> Job:
    """Work as the SDK is told of it."""
    facts, state = work.facts, _state(work)
    failed = facts.get("failed_items", 0)
    return Job(
        id=work.id,
        object="job",
        operation=facts["operation"],
        model=facts["model"],
        state=state,
        outcome="partial" if state == "succeeded" and failed else None,
        total_items=facts["items"],
        completed_items=min(facts["items"], work.done * CHUNK),
        failed_items=failed,
        created_at=work.created,
        finished_at=facts.get("over_at"),
        error_code=facts.get("error_code", FAILED) if state == "failed" else None,
        error=facts.get("error"),
        output={"chunks": chunks or []},
    )


def _state(work: Work) -> str:
    """A job of which no item was encoded has failed, though all of it was done."""
    if work.state == "done" and work.facts.get("failed_items") == work.facts["items"]:
        return "failed"
    return STATES.get(work.state, work.state)


async def get_job(request: Request, rooms: Rooms) -> Response:
    """One job, how far it is, and where its chunks are."""
    work = await rooms.works.find(KIND, request.path_params["id"], owner_of(request))
    done = await rooms.works.ask(rooms.works.store.progress, work.id)
    here = address_of(request, rooms.about)
    chunks = [_chunk(work, here, number, ok=ok) for number, ok in done]
    return json_answer(job(work, chunks), 200, version_headers(request.headers))


def _chunk(work: Work, here: str, number: int, *, ok: bool) -> dict[str, Any]:
    place = f"v1/refs/{work.id}/{work.facts['token']}/{number}"
    return {
        "seq": number,
        "items": min(CHUNK, work.facts["items"] - number * CHUNK),
        "state": "succeeded" if ok else "failed",
        "ref": f"{here}/{place}",
    }


async def list_jobs(request: Request, rooms: Rooms) -> Response:
    """All jobs, the newest first."""
    works = await rooms.works.ask(rooms.works.store.works, KIND, owner_of(request))
    answer = Jobs(object="list", data=[job(work) for work in works])
    return json_answer(answer, 200, version_headers(request.headers))


async def cancel_job(request: Request, rooms: Rooms) -> Response:
    """Stop a job; the chunks that are there are kept."""
    work = await rooms.works.cancel(KIND, request.path_params["id"], owner_of(request))
    return json_answer(job(work), 200, version_headers(request.headers))


async def get_chunk(request: Request, rooms: Rooms) -> Response:
    """A chunk's results, for whoever knows its address: the SDK fetches it without its key."""
    name, token, number = (request.path_params[part] for part in ("id", "token", "number"))
    work = await rooms.works.find(KIND, name, owner=None)
    if not secrets.compare_digest(token.encode(), work.facts["token"].encode()):
        raise NotFound("there is no chunk at this address", param="token")
    if not number.isdecimal() or len(number) > LONGEST_NUMBER:
        raise NotFound("there is no chunk at this address", param="number")
    output = await rooms.works.ask(rooms.works.store.output, name, int(number))
    return Response(output, 200, None, "application/octet-stream")


JOB_OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/jobs",
        handle=submit,
        summary="Encode items in the background.",
        request=JobRequest,
        example={"operation": "encode", "model": "all-MiniLM-L6-v2", "items": [{"text": "Hi"}]},
        response=Job,
        errors=(InvalidInput, ModelNotFound),
    ),
    Operation(
        method="GET", path="/v1/jobs", handle=list_jobs, summary="List the jobs.", response=Jobs
    ),
    Operation(
        method="GET",
        path="/v1/jobs/{id}",
        handle=get_job,
        summary="One job and how far it is.",
        response=Job,
        errors=(NotFound,),
    ),
    Operation(
        method="POST",
        path="/v1/jobs/{id}/cancel",
        handle=cancel_job,
        summary="Stop a job.",
        response=Job,
        errors=(NotFound,),
    ),
    Operation(
        method="GET",
        path="/v1/refs/{id}/{token}/{number}",
        handle=get_chunk,
        summary="A chunk of a job's results.",
        errors=(NotFound,),
        media=("application/octet-stream",),
        open=True,
    ),
)
