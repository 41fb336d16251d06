"""OpenAI's paths: embeddings and models."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import json_answer, result_headers, tell_plainly
from stelae.dialects.ask import encode, offload, render
from stelae.dialects.base import Operation, Rooms, record_of
from stelae.dialects.decode import decode, read
from stelae.dialects.items import told_items
from stelae.dialects.listing import ListedModel
from stelae.dialects.openai import convert, spelled
from stelae.dialects.openai.schema import EmbeddingRequest, EmbeddingResponse, ModelList
from stelae.dialects.pieces import PiecesResponse
from stelae.errors import (
    DeadlineExceeded,
    InputTooLong,
    InvalidInput,
    ModelNotFound,
    ModelNotReady,
    QueueFull,
)

_REQUEST = msgspec.json.Decoder(EmbeddingRequest)


async def embeddings(request: Request, rooms: Rooms) -> Response:
    """Texts, token ids, pictures or recordings to vectors."""
    body = await read(request)
    asked = await offload(len(body), decode, _REQUEST, body)
    if asked.truncation is not None:
        tell_plainly(request)
    told = await told_items(asked.input, rooms.fetcher)
    purpose = await spelled.purpose(asked, rooms.fleet)
    call = await offload(len(body), convert.encode_call, asked, told, purpose)
    with convert.fields_as_sent(names=convert.sent(asked)):
        result = await encode(request, rooms, call)
    pieces = await render(convert.embedding_pieces, result, asked)
    headers = result_headers(result, record_of(request))
    return PiecesResponse(pieces, headers, "application/json")


async def list_models(request: Request, rooms: Rooms) -> Response:
    """Every model that can be asked for."""
    del request
    return json_answer(convert.model_list(rooms.fleet.models(), rooms.about.started))


async def get_model(request: Request, rooms: Rooms) -> Response:
    """One model, by any of its names."""
    info = rooms.fleet.model(request.path_params["id"])
    return json_answer(convert.model(info, rooms.about.started))


OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/embeddings",
        handle=embeddings,
        summary="Embed texts, token ids, pictures or recordings.",
        request=EmbeddingRequest,
        example={"model": "all-MiniLM-L6-v2", "input": ["Hello, world"]},
        response=EmbeddingResponse,
        errors=(
            InvalidInput, InputTooLong, ModelNotFound, QueueFull, ModelNotReady, DeadlineExceeded,
        ),
    ),
    Operation(
        method="GET",
        path="/v1/models",
        handle=list_models,
        summary="List the models.",
        response=ModelList,
    ),
    Operation(
        method="GET",
        path="/v1/models/{id:path}",
        handle=get_model,
        summary="Describe one model.",
        response=ListedModel,
        errors=(ModelNotFound,),
    ),
)  # fmt: skip
