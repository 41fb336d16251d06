"""The protocol over HTTP: documents as JSON."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import json_answer
from stelae.dialects.base import Handle, Operation, Rooms
from stelae.dialects.clip.asked import STRANGER_BYTES
from stelae.dialects.clip.posts import answer_post, asks_nothing, write
from stelae.dialects.clip.schema import PostAnswer, PostRequest
from stelae.dialects.decode import read
from stelae.dialects.pieces import PiecesResponse
from stelae.errors import (
    DeadlineExceeded,
    InvalidInput,
    ModelNotReady,
    QueueFull,
    ShuttingDown,
)
from stelae.wire.clip.names import SUCCESS

_OPENAPI = msgspec.json.encode(
    {
        "openapi": "3.1.0",
        "info": {"title": "CLIP", "version": "1"},
        "paths": {path: {"post": {"responses": {}}} for path in ("/post", "/index", "/search")},
    }
)


async def post(request: Request, rooms: Rooms) -> Response:
    """Do with documents what the endpoint in the body says."""
    return await _answer(request, rooms)


async def index(request: Request, rooms: Rooms) -> Response:
    """Keep documents."""
    return await _answer(request, rooms, "/index")


async def search(request: Request, rooms: Rooms) -> Response:
    """Find documents."""
    return await _answer(request, rooms, "/search")


async def update(request: Request, rooms: Rooms) -> Response:
    """Keep documents anew."""
    return await _answer(request, rooms, "/update")


async def delete(request: Request, rooms: Rooms) -> Response:
    """Forget documents."""
    return await _answer(request, rooms, "/delete")


async def stranger(request: Request, rooms: Rooms) -> Response | None:
    """Answer a request that asks for nothing: ``profile()`` without content shows no key."""
    length = request.headers.get("content-length", "")
    if not length.isascii() or not length.isdigit() or int(length) > STRANGER_BYTES:
        return None
    body = await read(request)
    return await _written(body, request, rooms, None) if asks_nothing(body) else None


async def _answer(request: Request, rooms: Rooms, endpoint: str | None = None) -> Response:
    return await _written(await read(request), request, rooms, endpoint)


async def _written(body: bytes, request: Request, rooms: Rooms, endpoint: str | None) -> Response:
    answer = await answer_post(body, request, rooms, endpoint)
    return PiecesResponse(await write(answer), {}, "application/json")


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

_KEPT = {"data": [{"id": "a", "text": "a red circle", "tags": {"price": 3}}]}


def _documents(method: str, path: str, handle: Handle, summary: str, example: Any) -> Operation:
    return Operation(
        method=method,
        path=path,
        handle=handle,
        summary=summary,
        request=PostRequest,
        response=PostAnswer,
        errors=(InvalidInput, QueueFull, ModelNotReady, ShuttingDown, DeadlineExceeded),
        example=example,
    )


def _page(path: str, handle: Handle, summary: str) -> Operation:
    return Operation(method="GET", path=path, handle=handle, summary=summary, open=True, quiet=True)


OPERATIONS = (
    replace(
        _documents("POST", "/post", post, "Encode, rank, index or search documents.", _EXAMPLE),
        stranger=stranger,
    ),
    _documents("POST", "/index", index, "Keep documents, to be found again.", _KEPT),
    _documents("POST", "/search", search, "Find the documents nearest to others.", _KEPT),
    _documents("PUT", "/update", update, "Keep documents anew, or change their tags.", _KEPT),
    _documents("DELETE", "/delete", delete, "Forget documents.", {"parameters": {"ids": ["a"]}}),
    _page("/dry_run", dry_run, "Ready to be asked."),
    _page("/openapi.json", openapi, "The paths that the client chooses from."),
    _page("/status", status, "What answers here."),
)
