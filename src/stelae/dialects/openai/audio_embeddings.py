"""Recordings to vectors, as Xinference's client asks for them."""

from __future__ import annotations

from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import json_answer, result_headers
from stelae.dialects.ask import encode
from stelae.dialects.base import REFUSALS, Operation, Rooms, record_of
from stelae.dialects.openai.audio_read import FORM, recording
from stelae.dialects.openai.audio_schema import AudioEmbedding, AudioEmbeddingRequest
from stelae.dialects.openai.convert import fields_as_sent
from stelae.dialects.uploads import asked
from stelae.errors import EngineFailed, from_info
from stelae.types import EmbeddingDtype, EncodeCall, EncodeResult, Item, OutputType

SENT = {"items": "file", "outputs": "model"}
"""Fields of the call that the request has under other names."""


async def create_audio_embedding(request: Request, rooms: Rooms) -> Response:
    """Make the vector of a recording."""
    form, files = await asked(request, AudioEmbeddingRequest)
    call = EncodeCall(
        model=form.model,
        items=[Item(audio=recording(files))],
        outputs=(OutputType.DENSE,),
        dtype=EmbeddingDtype.FLOAT32,
        dimensions=form.dimensions,
    )
    with fields_as_sent(EncodeCall, AudioEmbeddingRequest, SENT):
        result = await encode(request, rooms, call)
    vector = _vector(result)
    made = AudioEmbedding(
        object="embedding", model=form.model, dimensions=len(vector), embedding=vector
    )
    return json_answer(made, headers=result_headers(result, record_of(request)))


def _vector(result: EncodeResult) -> list[float]:
    """The vector of the one recording.

    Raises:
        StelaeError: There is none, and why.
    """
    if (info := result.errors.get(0)) is not None:
        raise from_info(replace(info, message=f"file: {info.message}", param="file"))
    if result.dense is None:
        raise EngineFailed(f"model '{result.model}' returned no vectors")
    vector: list[float] = result.dense[0].tolist()
    return vector


AUDIO_EMBEDDING_OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/audio/embeddings",
        handle=create_audio_embedding,
        summary="Make the vector of a recording; a form with `file`.",
        request=AudioEmbeddingRequest,
        takes=(FORM,),
        example={"model": "clap-htsat-unfused"},
        response=AudioEmbedding,
        errors=REFUSALS,
    ),
)
