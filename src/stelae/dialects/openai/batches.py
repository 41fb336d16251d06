"""OpenAI's batches: many requests in a file, answered in the background into another."""

from __future__ import annotations

import secrets
import time
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import json_answer
from stelae.dialects.base import Operation, Rooms, owner_of
from stelae.dialects.decode import decode, read
from stelae.dialects.openai.convert import CODES
from stelae.dialects.openai.lines import ENDPOINTS
from stelae.dialects.openai.pages import paged
from stelae.dialects.openai.schema import (
    Batch,
    BatchCounts,
    BatchErrors,
    BatchList,
    BatchRequest,
)
from stelae.errors import RETRYABLE, InvalidInput, NotFound, StelaeError
from stelae.service.inference import Caller, Inference
from stelae.service.store import Store, Work
from stelae.service.works import Kind

KIND = "batch"

MOST_LINES = 50_000

WINDOW_SECONDS = 24 * 3600

STATES = {
    "queued": "validating",
    "running": "in_progress",
    "cancelling": "cancelling",
    "cancelled": "cancelled",
    "done": "completed",
    "failed": "failed",
}


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One request of a batch.

    Attributes:
        custom_id: The caller's name for it, once in a file.
        url: What it asks for; that of the batch.
        body: The request itself.
        method: Always ``POST``.
    """

    custom_id: str
    url: str
    body: msgspec.Raw
    method: str = "POST"


_LINE = msgspec.json.Decoder(Line)
_REQUEST = msgspec.json.Decoder(BatchRequest)


async def create(request: Request, rooms: Rooms) -> Response:
    """Take a batch on; its lines are checked first, and answered in the background."""
    asked = decode(_REQUEST, await read(request))
    if asked.endpoint not in ENDPOINTS:
        raise InvalidInput(
            f"endpoint={asked.endpoint!r}: batches ask for {', '.join(ENDPOINTS)}",
            param="endpoint",
        )
    works, owner = rooms.works, owner_of(request)
    data = await works.ask(works.store.data, asked.input_file_id, owner)
    lines = await works.ask(lines_of, data, asked.endpoint)
    facts = {
        "endpoint": asked.endpoint,
        "input_file_id": asked.input_file_id,
        "completion_window": asked.completion_window,
        "metadata": asked.metadata,
    }
    return json_answer(batch(await works.begin(KIND, facts, lines, owner)))


def lines_of(data: bytes, endpoint: str) -> list[bytes]:
    """The requests in a file.

    Raises:
        InvalidInput: One of them is none; names its line.
    """
    lines = [line for line in data.splitlines() if line.strip()]
    if not 0 < len(lines) <= MOST_LINES:
        raise InvalidInput(
            f"the file has {len(lines)} lines; 1 to {MOST_LINES} were expected",
            param="input_file_id",
        )
    seen: set[str] = set()
    for number, line in enumerate(lines, start=1):
        name = _checked(line, number, endpoint)
        if name in seen:
            raise _wrong(number, f"custom_id {name[:80]!r} stands there twice")
        seen.add(name)
    return lines


def _checked(line: bytes, number: int, endpoint: str) -> str:
    try:
        asked = _LINE.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _wrong(number, str(error)) from error
    if (asked.method, asked.url) != ("POST", endpoint):
        raise _wrong(number, f"asks for {asked.method} {asked.url[:80]}, not POST {endpoint}")
    return asked.custom_id


def _wrong(number: int, fault: str) -> InvalidInput:
    return InvalidInput(f"line {number}: {fault}", param="input_file_id")


async def run(unit: bytes, inference: Inference, caller: Caller) -> tuple[bytes, bool]:
    """Answer one line; what it asks wrongly is its own answer."""
    line = _LINE.decode(unit)
    status, body = 200, b""
    try:
        body = await ENDPOINTS[line.url](bytes(line.body), inference, caller)
    except StelaeError as error:
        if error.code in RETRYABLE:
            raise
        status, body = error.status, msgspec.json.encode({"error": _error(error)})
    answer = {
        "id": f"batch_req_{secrets.token_hex(12)}",
        "custom_id": line.custom_id,
        "response": {
            "status_code": status,
            "request_id": caller.request_id,
            "body": msgspec.Raw(body),
        },
        "error": None,
    }
    return msgspec.json.encode(answer), status == 200


def _error(error: StelaeError) -> dict[str, Any]:
    kind = "invalid_request_error" if error.status < 500 else "server_error"
    code = CODES.get(error.code, error.code)
    return {"message": str(error), "type": kind, "param": error.param, "code": code}


def close(work: Work, store: Store) -> dict[str, Any]:
    """Write the answers into a file, and those that failed into another."""
    facts: dict[str, Any] = {"over_at": int(time.time())}
    counts = {"output": work.done - work.failed, "error": work.failed}
    for name, count in counts.items():
        known = work.facts.get(f"{name}_file_id")
        if count and known is None:
            lines = (line + b"\n" for line in store.outputs(work.id, ok=name == "output"))
            file = store.put(f"{work.id}_{name}.jsonl", "batch_output", lines, work.owner)
            facts[f"{name}_file_id"] = file.id
    return facts


BATCHES = Kind(KIND, "batch", run, close)


def batch(work: Work) -> Batch:
    """Work as this protocol tells of it."""
    facts, state = work.facts, STATES[work.state]
    over = facts.get("over_at")
    errors = facts.get("error")
    return Batch(
        id=work.id,
        object="batch",
        endpoint=facts["endpoint"],
        errors=None if errors is None else BatchErrors(object="list", data=[{"message": errors}]),
        input_file_id=facts["input_file_id"],
        completion_window=facts["completion_window"],
        status=state,
        output_file_id=facts.get("output_file_id"),
        error_file_id=facts.get("error_file_id"),
        created_at=int(work.created),
        in_progress_at=int(work.created) if work.state != "queued" else None,
        expires_at=int(work.created) + WINDOW_SECONDS,
        completed_at=over if state == "completed" else None,
        failed_at=over if state == "failed" else None,
        cancelled_at=over if state == "cancelled" else None,
        request_counts=BatchCounts(
            total=work.total, completed=work.done - work.failed, failed=work.failed
        ),
        metadata=facts.get("metadata"),
    )


async def list_batches(request: Request, rooms: Rooms) -> Response:
    """Batches, the newest first."""
    works = await rooms.works.ask(rooms.works.store.works, KIND, owner_of(request))
    page, more = paged([batch(work) for work in works], request)
    return json_answer(BatchList(object="list", data=page, has_more=more))


async def get_batch(request: Request, rooms: Rooms) -> Response:
    """One batch and how far it is."""
    name, owner = request.path_params["id"], owner_of(request)
    return json_answer(batch(await rooms.works.find(KIND, name, owner)))


async def cancel(request: Request, rooms: Rooms) -> Response:
    """Stop a batch; the answers that are there are kept."""
    name, owner = request.path_params["id"], owner_of(request)
    return json_answer(batch(await rooms.works.cancel(KIND, name, owner)))


BATCH_OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/batches",
        handle=create,
        summary="Answer the requests in a file in the background.",
        request=BatchRequest,
        example={
            "input_file_id": "file-1",
            "endpoint": "/v1/embeddings",
            "completion_window": "24h",
        },
        response=Batch,
        errors=(InvalidInput, NotFound),
    ),
    Operation(
        method="GET",
        path="/v1/batches",
        handle=list_batches,
        summary="List the batches.",
        response=BatchList,
    ),
    Operation(
        method="GET",
        path="/v1/batches/{id}",
        handle=get_batch,
        summary="One batch and how far it is.",
        response=Batch,
        errors=(NotFound,),
    ),
    Operation(
        method="POST",
        path="/v1/batches/{id}/cancel",
        handle=cancel,
        summary="Stop a batch.",
        response=Batch,
        errors=(NotFound,),
    ),
)
