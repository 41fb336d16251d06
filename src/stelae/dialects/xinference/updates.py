"""Changes of the registry that other servers make of themselves: here they are made by people."""

from __future__ import annotations

from typing import NoReturn

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import json_answer
from stelae.dialects.base import Operation, Rooms
from stelae.dialects.decode import decode, read
from stelae.dialects.xinference.kinds import TYPES, kind_of
from stelae.errors import Forbidden, InvalidInput


class RefreshTypeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A type whose models should be known anew.

    Attributes:
        model_type: The type.
    """

    model_type: str


class RefreshTypeTold(msgspec.Struct, frozen=True, kw_only=True):
    """What became of that.

    Attributes:
        model_type: The type.
        message: A sentence.
    """

    model_type: str
    message: str


class RefreshTypeResponse(msgspec.Struct, frozen=True, kw_only=True):
    """What became of that, in an envelope."""

    data: RefreshTypeTold


_DECODER = msgspec.json.Decoder(RefreshTypeRequest)


async def update(request: Request, rooms: Rooms) -> Response:
    """Say that there is nothing to fetch: the models that are known come with the server."""
    del rooms
    name = TYPES[kind_of(decode(_DECODER, await read(request)).model_type)]
    message = "models that are known come with the version of the server; nothing was fetched"
    return json_answer(RefreshTypeResponse(data=RefreshTypeTold(model_type=name, message=message)))


async def derive(request: Request, rooms: Rooms) -> NoReturn:
    """Refuse to look through folders for callers.

    Raises:
        Forbidden: Always.
    """
    del request, rooms
    raise Forbidden(
        "no document is made of a folder",
        hint="a folder can be launched as it is, by model_path, or be the model_uri of a document",
    )


UPDATE_OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/models/update_type",
        handle=update,
        summary="Say that there is nothing to fetch.",
        request=RefreshTypeRequest,
        example={"model_type": "LLM"},
        response=RefreshTypeResponse,
        errors=(InvalidInput,),
    ),
    Operation(
        method="POST",
        path="/v1/models/llm/auto-register",
        handle=derive,
        summary="Refused: documents are written by hand.",
        errors=(Forbidden,),
    ),
)
