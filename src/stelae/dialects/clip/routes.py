"""The protocol over HTTP: documents as JSON."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import json_answer
from stelae.dialects.ask import OFFLOAD_BYTES, caller_of, offload
from stelae.dialects.base import Operation, Rooms, record_of
from stelae.dialects.clip.answers import post_answer
from stelae.dialects.clip.asked import Asked, Told, Visit
from stelae.dialects.clip.core import answer
from stelae.dialects.clip.errors import is_transient, status_of
from stelae.dialects.clip.plain import FORM
from stelae.dialects.clip.schema import Doc, Docs, PostAnswer, PostRequest, StatusTold
from stelae.dialects.decode import decode, read
from stelae.dialects.pieces import PiecesResponse
from stelae.errors import (
    DeadlineExceeded,
    InvalidInput,
    ModelNotReady,
    QueueFull,
    ShuttingDown,
    StelaeError,
)
from stelae.wire.arrays import Buffer
from stelae.wire.clip.names import SUCCESS
from stelae.wire.slices import is_large, json_slices

ROOT = "/"
"""The endpoint of requests that name none."""

_POST = msgspec.json.Decoder(PostRequest)

_OPENAPI = msgspec.json.encode(
    {
        "openapi": "3.1.0",
        "info": {"title": "CLIP", "version": "1"},
        "paths": {path: {"post": {"responses": {}}} for path in ("/post", "/index", "/search")},
    }
)


def speaks(headers: Headers) -> bool:
    """Whether a request comes from the client, which is made with aiohttp."""
    return "aiohttp" in headers.get("user-agent", "")


async def post(request: Request, rooms: Rooms) -> Response:
    """Do with documents what the endpoint in the body says."""
    return await _post(request, rooms, None)


async def post_to(request: Request, rooms: Rooms) -> Response:
    """Do with documents what the path says."""
    return await _post(request, rooms, request.url.path)


async def _post(request: Request, rooms: Rooms, endpoint: str | None) -> Response:
    told = Told()
    body = await read(request)
    given = await offload(len(body), decode, _POST, body)
    asked = Asked(endpoint or _endpoint(given), given.parameters or {}, _docs(given), FORM)
    status = await _status(asked, Visit(rooms, request, caller_of(request)), told)
    written = post_answer(given, asked, told, status)
    pieces = await _written(written)
    return PiecesResponse(pieces, {}, "application/json")


async def _status(asked: Asked[Doc], visit: Visit, told: Told) -> StatusTold | None:
    """Answer a request; what is wrong with it is told in the answer's header."""
    try:
        await answer(asked, visit, told)
    except StelaeError as error:
        if is_transient(error):
            raise
        record_of(visit.request).error = error.code
        return status_of(error)
    return None


async def _written(answer: PostAnswer) -> list[Buffer]:
    if is_large(answer, OFFLOAD_BYTES):
        return await asyncio.to_thread(_pieces, answer)
    return _pieces(answer)


def _pieces(answer: PostAnswer) -> list[Buffer]:
    try:
        return list(json_slices(answer))
    except (TypeError, RecursionError) as error:
        raise InvalidInput("the documents or parameters are nested too deeply") from error


def _endpoint(given: PostRequest) -> str:
    header = given.header
    named = (
        given.exec_endpoint,
        given.camel_exec_endpoint,
        header and header.exec_endpoint,
        header and header.camel_exec_endpoint,
    )
    return next((name for name in named if name), ROOT)


def _docs(given: PostRequest) -> list[Doc]:
    return (given.data.docs if isinstance(given.data, Docs) else given.data) or []


async def dry_run(request: Request, rooms: Rooms) -> Response:
    """Ready to be asked."""
    del request, rooms
    return json_answer({"code": SUCCESS, "description": "", "exception": None})


async def status(request: Request, rooms: Rooms) -> Response:
    """What answers here."""
    del request
    return json_answer({"jina": {"stelae": rooms.about.version}, "envs": {}})


async def openapi(request: Request, rooms: Rooms) -> Response:
    """The paths that the client may choose from."""
    # Quirk: clip-client 0.8.3 posts to the path of its endpoint's name if it is described here.
    del request, rooms
    return Response(_OPENAPI, 200, None, "application/json")


_EXAMPLE = {
    "data": [{"text": "a red circle"}, {"text": "a blue square"}],
    "execEndpoint": "/",
}


def _documents(method: str, path: str, summary: str, **more: Any) -> Operation:
    return Operation(
        method=method,
        path=path,
        handle=post if path == "/post" else post_to,
        summary=summary,
        request=PostRequest,
        response=PostAnswer,
        errors=(InvalidInput, QueueFull, ModelNotReady, ShuttingDown, DeadlineExceeded),
        **more,
    )


def _page(path: str, handle: Any, summary: str) -> Operation:
    return Operation(method="GET", path=path, handle=handle, summary=summary, open=True, quiet=True)


OPERATIONS = (
    _documents("POST", "/post", "Encode, rank, index or search documents.", example=_EXAMPLE),
    _page("/dry_run", dry_run, "Ready to be asked."),
    _page("/openapi.json", openapi, "The paths that the client chooses from."),
    Operation(
        method="GET", path="/status", handle=status, summary="What answers here.", quiet=True
    ),
)
