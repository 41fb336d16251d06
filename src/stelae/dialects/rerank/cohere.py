"""Cohere's embeddings, in both versions."""

from __future__ import annotations

import uuid
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.ask import encode, offload
from stelae.dialects.base import REFUSALS, Operation, Rooms
from stelae.dialects.codes import Code, base64_rows, coded
from stelae.dialects.decode import decode, read
from stelae.dialects.items import told_file, told_item
from stelae.dialects.purposes import purpose_fields
from stelae.dialects.rerank.cohere_schema import (
    CohereEmbedRequest,
    CohereEmbedResponse,
    CohereMeta,
    CohereTruncate,
    CohereType,
    CohereUnits,
    CohereVersion,
)
from stelae.dialects.rerank.embedded import as_sent, refuse_failed, rows_of, told
from stelae.dialects.rerank.names import makes, model_for
from stelae.errors import InvalidInput, StelaeError
from stelae.security.fetch import Fetcher
from stelae.types import (
    EmbeddingDtype,
    EncodeCall,
    EncodeResult,
    Item,
    Matrix,
    OutputType,
    Truncate,
)

_REQUEST = msgspec.json.Decoder(CohereEmbedRequest)

GIVEN = ("texts", "images", "inputs")
"""Fields of which one holds what is embedded."""

SENT = {"dimensions": "output_dimension", "items": "texts", "outputs": "model"}
"""Fields of the call under the names that they have in a request."""

_TRUNCATE = {
    CohereTruncate.NONE: Truncate.ERROR,
    CohereTruncate.START: Truncate.START,
    CohereTruncate.END: Truncate.END,
}


async def embed(request: Request, rooms: Rooms) -> Response:
    """Texts or pictures to vectors, as the first version has it."""
    return await _embed(request, rooms, "1")


async def embed_second(request: Request, rooms: Rooms) -> Response:
    """The same in the second version."""
    return await _embed(request, rooms, "2")


async def _embed(request: Request, rooms: Rooms, version: str) -> Response:
    body = await read(request)
    asked = await offload(len(body), decode, _REQUEST, body)
    model = model_for(rooms.fleet, asked.model, makes(OutputType.DENSE))
    field = field_of(asked)
    purpose = await purpose_fields(rooms.fleet, model, asked.input_type, "input_type")
    call = EncodeCall(
        model=model,
        items=await items_of(asked, field, rooms.fetcher),
        outputs=(OutputType.DENSE,),
        dtype=EmbeddingDtype.FLOAT32,
        dimensions=asked.output_dimension,
        truncate=_TRUNCATE[asked.truncate or CohereTruncate.END],
        max_tokens=asked.max_tokens,
        **purpose,
    )
    try:
        result = await encode(request, rooms, call)
    except StelaeError as error:
        raise as_sent(error, SENT) from error
    refuse_failed(result, lambda index: f"{field}[{index}]")
    return await told(answer, result, request, asked, version)


def field_of(asked: CohereEmbedRequest) -> str:
    """The field with what is embedded.

    Raises:
        InvalidInput: There is none, or there are several.
    """
    given = [name for name in GIVEN if getattr(asked, name)]
    if len(given) != 1:
        raise InvalidInput(
            f"one of {', '.join(GIVEN)} was expected, {len(given)} were given",
            param=given[1] if given else "texts",
        )
    return given[0]


async def items_of(asked: CohereEmbedRequest, field: str, fetcher: Fetcher) -> list[Item]:
    """What is embedded.

    Raises:
        InvalidInput: A picture cannot be read, or an input has other than one part.
    """
    if field == "texts":
        return [Item(text=text) for text in asked.texts or ()]
    if field == "images":
        return [
            Item(image=await told_file(image, fetcher, f"images[{index}]"))
            for index, image in enumerate(asked.images or ())
        ]
    return [
        await told_item({"content": one.content}, fetcher, f"inputs[{index}]")
        for index, one in enumerate(asked.inputs or ())
    ]


def answer(result: EncodeResult, asked: CohereEmbedRequest, version: str) -> dict[str, Any]:
    """The body of the answer."""
    rows = rows_of(result)
    plain = asked.embedding_types is None and version == "1"
    kinds = asked.embedding_types or [CohereType.FLOAT]
    units = CohereUnits(
        input_tokens=result.usage.tokens, images=len(asked.images or ()) + _pictures(asked)
    )
    return {
        "id": str(uuid.uuid4()),
        "response_type": "embeddings_floats" if plain else "embeddings_by_type",
        "embeddings": rows if plain else {kind.value: _written(rows, kind) for kind in kinds},
        "texts": asked.texts or [],
        "meta": CohereMeta(
            api_version=CohereVersion(version=version), billed_units=units, warnings=None
        ),
    }


def _written(rows: Matrix, kind: CohereType) -> Any:
    return list(base64_rows(rows)) if kind is CohereType.BASE64 else coded(rows, Code(kind))


def _pictures(asked: CohereEmbedRequest) -> int:
    parts = (part for one in asked.inputs or () for part in one.content)
    return sum(part.get("type") == "image_url" for part in parts)


_EXAMPLE = {
    "model": "all-MiniLM-L6-v2",
    "texts": ["Hello, world"],
    "input_type": "search_document",
    "embedding_types": ["float"],
}

COHERE_OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/embed",
        handle=embed,
        summary="Embed texts or pictures, as the first version of Cohere's client asks.",
        request=CohereEmbedRequest,
        example=_EXAMPLE,
        response=CohereEmbedResponse,
        errors=REFUSALS,
    ),
    Operation(
        method="POST",
        path="/v2/embed",
        handle=embed_second,
        summary="Embed texts or pictures, as the second version of Cohere's client asks.",
        request=CohereEmbedRequest,
        example=_EXAMPLE,
        response=CohereEmbedResponse,
        errors=REFUSALS,
    ),
)
