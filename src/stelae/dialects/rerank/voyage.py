"""Voyage's multimodal embeddings; its plain ones are on the path that OpenAI's have.

Source: the API reference of Voyage, and the package ``voyageai`` 0.5.0.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import tell_plainly
from stelae.dialects.ask import encode, offload
from stelae.dialects.base import REFUSALS, Operation, Rooms
from stelae.dialects.codes import Code, base64_rows, coded
from stelae.dialects.decode import decode, read
from stelae.dialects.items import told_item
from stelae.dialects.purposes import purpose_fields
from stelae.dialects.rerank.embedded import as_sent, refuse_failed, rows_of, told
from stelae.errors import InvalidInput, StelaeError
from stelae.types import (
    EmbeddingDtype,
    EncodeCall,
    EncodeResult,
    OutputType,
    Truncate,
)

SENT = {"dimensions": "output_dimension", "items": "inputs", "outputs": "model"}
"""Fields of the call under the names that they have in a request."""


class VoyageFormat(StrEnum):
    """How vectors are written."""

    BASE64 = "base64"


class VoyageInput(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to embed.

    Attributes:
        content: Its parts: one text (``{"type": "text", "text": ...}``) or one picture
            (``image_url`` or ``image_base64``).
    """

    content: list[dict[str, Any]]


class VoyageMultimodalRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What ``POST /v1/multimodalembeddings`` takes.

    Attributes:
        model: Name of the model.
        inputs: What is embedded.
        input_type: What the vectors are for: ``query``, ``document``, or the name of a prompt of
            the model.
        truncation: Whether texts that are too long are cut; they are unless it is false.
        output_dtype: Number format.
        output_dimension: Width to cut vectors to; only for models trained for it.
        encoding_format: ``base64`` for the bytes of the numbers.
    """

    model: str
    inputs: list[VoyageInput]
    input_type: str | None = None
    truncation: bool | None = None
    output_dtype: Code | None = None
    output_dimension: int | None = None
    encoding_format: VoyageFormat | None = None


class VoyageEmbedding(msgspec.Struct, frozen=True, kw_only=True):
    """One vector: numbers, or base64 of their bytes."""

    object: str
    index: int
    embedding: list[float] | str


class VoyageUsage(msgspec.Struct, frozen=True, kw_only=True):
    """What was read; pixels are not counted here."""

    text_tokens: int
    image_pixels: int
    video_pixels: int
    total_tokens: int


class VoyageMultimodalResponse(msgspec.Struct, frozen=True, kw_only=True):
    """What ``POST /v1/multimodalembeddings`` answers."""

    object: str
    data: list[VoyageEmbedding]
    model: str
    usage: VoyageUsage


_REQUEST = msgspec.json.Decoder(VoyageMultimodalRequest)


async def multimodal(request: Request, rooms: Rooms) -> Response:
    """Texts and pictures to vectors."""
    tell_plainly(request)
    body = await read(request)
    asked = await offload(len(body), decode, _REQUEST, body)
    if not asked.inputs:
        raise InvalidInput("inputs: at least one was expected, none was given", param="inputs")
    purpose = await purpose_fields(rooms.fleet, asked.model, asked.input_type, "input_type")
    call = EncodeCall(
        model=asked.model,
        items=[
            await told_item({"content": one.content}, rooms.fetcher, f"inputs[{index}]")
            for index, one in enumerate(asked.inputs)
        ],
        outputs=(OutputType.DENSE,),
        dtype=EmbeddingDtype.FLOAT32,
        dimensions=asked.output_dimension,
        truncate=Truncate.ERROR if asked.truncation is False else Truncate.END,
        **purpose,
    )
    try:
        result = await encode(request, rooms, call)
    except StelaeError as error:
        raise as_sent(error, SENT) from error
    refuse_failed(result, lambda index: f"inputs[{index}]")
    return await told(answer, result, request, asked)


def answer(result: EncodeResult, asked: VoyageMultimodalRequest) -> dict[str, Any]:
    """The body of the answer."""
    tokens = result.usage.tokens
    return {
        "object": "list",
        "data": _data(result, asked),
        "model": asked.model,
        "usage": VoyageUsage(
            text_tokens=tokens, image_pixels=0, video_pixels=0, total_tokens=tokens
        ),
    }


def _data(result: EncodeResult, asked: VoyageMultimodalRequest) -> Iterator[dict[str, Any]]:
    rows = coded(rows_of(result), asked.output_dtype or Code.FLOAT)
    written = base64_rows(rows) if asked.encoding_format else rows
    for index, row in enumerate(written):
        yield {"object": "embedding", "index": index, "embedding": row}


_EXAMPLE = {
    "model": "clip-ViT-B-32",
    "inputs": [{"content": [{"type": "text", "text": "a red square"}]}],
    "input_type": "query",
}

VOYAGE_OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/multimodalembeddings",
        handle=multimodal,
        summary="Embed texts and pictures, as Voyage's client asks.",
        request=VoyageMultimodalRequest,
        example=_EXAMPLE,
        response=VoyageMultimodalResponse,
        errors=REFUSALS,
    ),
)
