"""Ollama's vectors, by both of its paths."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import json_answer, result_headers
from stelae.dialects.ask import encode, offload, render
from stelae.dialects.base import REFUSALS, Operation, Rooms, record_of
from stelae.dialects.decode import decode, read
from stelae.dialects.ollama.names import find
from stelae.dialects.ollama.schema import (
    OllamaEmbedded,
    OllamaEmbedding,
    OllamaEmbeddingsRequest,
    OllamaEmbedRequest,
)
from stelae.dialects.pieces import PiecesResponse
from stelae.errors import (
    EngineFailed,
    from_info,
)
from stelae.types import EmbeddingDtype, EncodeCall, EncodeResult, Item, OutputType, Truncate
from stelae.wire.arrays import Buffer
from stelae.wire.slices import json_slices

_EMBED = msgspec.json.Decoder(OllamaEmbedRequest)
_EMBEDDINGS = msgspec.json.Decoder(OllamaEmbeddingsRequest)


async def embed(request: Request, rooms: Rooms) -> Response:
    """Texts to vectors of unit length; without texts, load the model."""
    started = time.perf_counter()
    body = await read(request)
    asked = await offload(len(body), decode, _EMBED, body)
    name = find(rooms.fleet, asked.model).name
    texts = [asked.input] if isinstance(asked.input, str) else asked.input
    if not asked.input:
        await rooms.fleet.load(name)
        return json_answer(_embedded(asked.model, [], 0, started))
    how = Truncate.ERROR if asked.truncate is False else Truncate.END
    call = _call(name, texts, dimensions=asked.dimensions, truncate=how, normalize=True)
    result = await encode(request, rooms, call)
    pieces = await render(_pieces, result, asked.model, started)
    return PiecesResponse(pieces, result_headers(result, record_of(request)), "application/json")


async def embeddings(request: Request, rooms: Rooms) -> Response:
    """One text to its vector as the model makes it; without a text, load the model."""
    asked = decode(_EMBEDDINGS, await read(request))
    name = find(rooms.fleet, asked.model).name
    if not asked.prompt:
        await rooms.fleet.load(name)
        return json_answer(OllamaEmbedding(embedding=[]))
    result = await encode(request, rooms, _call(name, [asked.prompt]))
    body = {"embedding": _rows(result)[0]}
    headers = result_headers(result, record_of(request))
    return PiecesResponse(list(json_slices(body)), headers, "application/json")


def _call(name: str, texts: list[str], **options: Any) -> EncodeCall:
    return EncodeCall(
        model=name,
        items=[Item(text=text) for text in texts],
        outputs=(OutputType.DENSE,),
        dtype=EmbeddingDtype.FLOAT32,
        **options,
    )


def _pieces(result: EncodeResult, model: str, started: float) -> list[Buffer]:
    rows = _rows(result)
    return list(json_slices(_embedded(model, rows, result.usage.tokens, started)))


def _embedded(model: str, rows: Any, tokens: int, started: float) -> dict[str, Any]:
    return {
        "model": model,
        "embeddings": rows,
        "total_duration": round((time.perf_counter() - started) * 1e9),
        "load_duration": 0,
        "prompt_eval_count": tokens,
    }


def _rows(result: EncodeResult) -> Any:
    """The vectors; an item that failed fails the request, which has no place for its error."""
    if result.errors:
        raise from_info(result.errors[min(result.errors)])
    if result.dense is None:
        raise EngineFailed(f"model '{result.model}' returned no vectors")
    return np.ascontiguousarray(result.dense, dtype="<f4")


EMBED_OPERATIONS = (
    Operation(
        method="POST",
        path="/api/embed",
        handle=embed,
        summary="Embed texts.",
        request=OllamaEmbedRequest,
        example={"model": "all-MiniLM-L6-v2", "input": ["Hello, world"]},
        response=OllamaEmbedded,
        errors=REFUSALS,
    ),
    Operation(
        method="POST",
        path="/api/embeddings",
        handle=embeddings,
        summary="Embed one text, as older clients ask for it.",
        request=OllamaEmbeddingsRequest,
        example={"model": "all-MiniLM-L6-v2", "prompt": "Hello, world"},
        response=OllamaEmbedding,
        errors=REFUSALS,
    ),
)
