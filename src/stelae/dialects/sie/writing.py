"""The SDK's way to go on with a text; its chats and responses OpenAI's protocol answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import json_answer
from stelae.dialects.ask import begun, chat, offload
from stelae.dialects.base import Operation, Rooms, record_of
from stelae.dialects.decode import decode, read
from stelae.dialects.events import EventsResponse, event
from stelae.dialects.sie.callers import caller_of
from stelae.dialects.sie.errors import version_headers
from stelae.dialects.sie.generate import Chunks, Meter, generate_call, generated
from stelae.dialects.sie.schema import GenerateAnswer, GenerateRequest
from stelae.dialects.writing import gather
from stelae.errors import (
    DeadlineExceeded,
    InputTooLong,
    InvalidInput,
    ModelLoadFailed,
    ModelNotFound,
    ModelNotReady,
    QueueFull,
    StelaeError,
    UnsupportedTask,
)
from stelae.types import ChatUsage, Delta, ModelInfo

DONE = event(b"[DONE]")

_REQUEST = msgspec.json.Decoder(GenerateRequest)


async def generate(request: Request, rooms: Rooms) -> Response:
    """Go on with a text."""
    meter = Meter()
    name: str = request.path_params["model"]
    info = _flat(name, rooms)
    body = await read(request)
    asked = await offload(len(body), decode, _REQUEST, body)
    made = await offload(len(body), generate_call, asked, info.name, rooms.fetcher)
    pieces = await begun(chat(request, rooms, made.call, caller_of(request)))
    headers = _headers(request, made.ignored)
    request_id = record_of(request).id
    if asked.stream:
        return EventsResponse(_events(request, pieces, Chunks(request_id, meter)), headers)
    meter.tick()
    gathered = await gather(pieces, 1)
    answer = generated(gathered, name, request_id, meter)
    return json_answer(answer, 200, headers | _units(gathered.usage))


async def _events(
    request: Request, made: AsyncGenerator[list[Delta]], chunks: Chunks
) -> AsyncGenerator[bytes]:
    """The events of a text; one that breaks off ends with why, and without ``[DONE]``."""
    try:
        async with aclosing(made):
            async for pieces in made:
                for chunk in chunks.of(pieces):
                    yield event(msgspec.json.encode(chunk))
    except StelaeError as error:
        record_of(request).error = error.code
        yield event(msgspec.json.encode(chunks.broken(error)))
        return
    yield event(msgspec.json.encode(chunks.last()))
    yield DONE


def _flat(name: str, rooms: Rooms) -> ModelInfo:
    # Quirk: sie-sdk 0.10.1 writes "__" for "/" in these paths alone;
    # tests/contract/sie/checks.py, check_generate.
    try:
        return rooms.fleet.model(name)
    except ModelNotFound:
        if "__" not in name:
            raise
        return rooms.fleet.model(name.replace("__", "/"))


def _headers(request: Request, ignored: tuple[str, ...]) -> dict[str, str]:
    headers = {**version_headers(request.headers), "X-SIE-Request-ID": record_of(request).id}
    if ignored:
        headers["X-Stelae-Ignored"] = ", ".join(map(ascii, ignored))[:1024]
    return headers


def _units(usage: ChatUsage) -> dict[str, str]:
    return {
        "X-SIE-Units-Input-Tokens": str(usage.prompt_tokens),
        "X-SIE-Units-Output-Tokens": str(usage.completion_tokens),
    }


WRITING_OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/generate/{model:path}",
        handle=generate,
        summary="Go on with a text; with `stream`, chunk by chunk.",
        request=GenerateRequest,
        example={"prompt": "Once upon a time", "max_new_tokens": 16},
        response=GenerateAnswer,
        errors=(
            InvalidInput, InputTooLong, UnsupportedTask, ModelNotFound, QueueFull, ModelNotReady,
            ModelLoadFailed, DeadlineExceeded,
        ),
        media=("application/json", "text/event-stream"),
    ),
)  # fmt: skip
