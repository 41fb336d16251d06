"""Stelae's own paths: the verbs, the models and the server."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import result_headers
from stelae.dialects.ask import encode, extract, offload, render, score
from stelae.dialects.base import Handle, Operation, Rooms, record_of
from stelae.dialects.decode import Decoder, decode, read, whole
from stelae.dialects.native import convert
from stelae.dialects.native.schema import LoadRequest, ModelsResponse, ServerResponse
from stelae.dialects.pieces import PiecesResponse
from stelae.errors import (
    Conflict,
    DeadlineExceeded,
    InvalidInput,
    ModelLoadFailed,
    ModelNotFound,
    ModelNotReady,
    QueueFull,
    UnsupportedTask,
)
from stelae.types import (
    EncodeCall,
    EncodeResult,
    ExtractCall,
    ExtractResult,
    ModelInfo,
    ScoreCall,
    ScoreResult,
)

C = TypeVar("C")
AnyResult = EncodeResult | ScoreResult | ExtractResult

_LOADS: dict[convert.Media, Decoder[LoadRequest]] = {
    convert.Media.JSON: msgspec.json.Decoder(LoadRequest),
    convert.Media.MSGPACK: msgspec.msgpack.Decoder(LoadRequest),
}


def _verb(
    name: str, kind: type[C], ask: Callable[[Request, Rooms, C], Awaitable[AnyResult]]
) -> Handle:
    """A verb of the house: its call in, its result out, failures of single items within."""

    async def handle(request: Request, rooms: Rooms) -> Response:
        media = convert.sent(request)
        body = await read(request)
        call = await offload(len(body), convert.call_of, kind, body, media)
        result = await ask(request, rooms, call)
        wanted = convert.wanted(request)
        pieces = await render(convert.answer_pieces, result, wanted)
        return PiecesResponse(pieces, result_headers(result, record_of(request)), wanted)

    handle.__name__ = name
    return handle


async def list_models(request: Request, rooms: Rooms) -> Response:
    """Every model the server knows."""
    return convert.answer(ModelsResponse(models=rooms.fleet.models()), request)


async def get_model(request: Request, rooms: Rooms) -> Response:
    """One model, by any of its names."""
    return convert.answer(rooms.fleet.model(request.path_params["name"]), request)


async def load_model(request: Request, rooms: Rooms) -> Response:
    """Load a model and answer when it is ready."""
    body = await whole(request)
    asked = decode(_LOADS[convert.sent(request)], body) if body else LoadRequest()
    info = await rooms.fleet.load(request.path_params["name"], asked.engine, asked.dtype)
    return convert.answer(info, request)


async def unload_model(request: Request, rooms: Rooms) -> Response:
    """Unload a model; what it has accepted is answered first."""
    return convert.answer(await rooms.fleet.unload(request.path_params["name"]), request)


async def server(request: Request, rooms: Rooms) -> Response:
    """The server itself: version, addresses, limits."""
    about = rooms.about
    said = ServerResponse(
        version=about.version,
        pid=about.pid,
        uptime_s=round(time.time() - about.started, 3),
        listen=about.listen,
        limits=about.limits,
    )
    return convert.answer(said, request)


_BOTH = ("application/json", "application/msgpack")
_REFUSALS = (
    InvalidInput, UnsupportedTask, ModelNotFound, QueueFull, ModelNotReady, DeadlineExceeded,
)  # fmt: skip

OPERATIONS = (
    Operation(
        method="POST",
        path="/stelae/v1/encode",
        handle=_verb("encode_items", EncodeCall, encode),
        summary="Encode items; failed ones are reported by index.",
        request=EncodeCall,
        example={"model": "all-MiniLM-L6-v2", "items": [{"text": "Hello, world"}]},
        response=EncodeResult,
        errors=_REFUSALS,
        media=_BOTH,
    ),
    Operation(
        method="POST",
        path="/stelae/v1/score",
        handle=_verb("score_documents", ScoreCall, score),
        summary="Score documents against a query; failed ones are reported by index.",
        request=ScoreCall,
        example={
            "model": "all-MiniLM-L6-v2",
            "query": {"text": "How tall is the tower?"},
            "documents": [{"text": "It has 300 metres."}, {"text": "It rains."}],
        },
        response=ScoreResult,
        errors=_REFUSALS,
        media=_BOTH,
    ),
    Operation(
        method="POST",
        path="/stelae/v1/extract",
        handle=_verb("extract_items", ExtractCall, extract),
        summary="Find what items hold; failed ones are reported by index.",
        request=ExtractCall,
        example={
            "model": "gliner_multi-v2.1",
            "items": [{"text": "Ada Lovelace was born in London."}],
            "labels": ["person", "place"],
        },
        response=ExtractResult,
        errors=_REFUSALS,
        media=_BOTH,
    ),
    Operation(
        method="GET",
        path="/stelae/v1/models",
        handle=list_models,
        summary="List the models.",
        response=ModelsResponse,
        media=_BOTH,
    ),
    Operation(
        method="POST",
        path="/stelae/v1/models/{name:path}/load",
        handle=load_model,
        summary="Load a model; answers when it is ready.",
        request=LoadRequest,
        example={"dtype": "float32"},
        response=ModelInfo,
        errors=(InvalidInput, ModelNotFound, ModelLoadFailed),
        media=_BOTH,
    ),
    Operation(
        method="POST",
        path="/stelae/v1/models/{name:path}/unload",
        handle=unload_model,
        summary="Unload a model; what it has accepted is answered first.",
        response=ModelInfo,
        errors=(ModelNotFound, Conflict),
        media=_BOTH,
    ),
    Operation(
        method="GET",
        path="/stelae/v1/models/{name:path}",
        handle=get_model,
        summary="Describe one model.",
        response=ModelInfo,
        errors=(ModelNotFound,),
        media=_BOTH,
    ),
    Operation(
        method="GET",
        path="/stelae/v1/server",
        handle=server,
        summary="Describe the server: version, addresses, limits.",
        response=ServerResponse,
        media=_BOTH,
    ),
)
