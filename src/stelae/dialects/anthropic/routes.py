"""The operations of Anthropic's API; each answers below ``/v1`` and below ``/anthropic/v1``."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import json_answer
from stelae.dialects.anthropic import convert
from stelae.dialects.anthropic.answers import MessageEvents, Shape, Telling, event
from stelae.dialects.anthropic.errors import error_fields, named
from stelae.dialects.anthropic.models import listed, page
from stelae.dialects.anthropic.schema import (
    Answer,
    Asked,
    Counted,
    Listed,
    MessageRequest,
    Page,
)
from stelae.dialects.ask import begun_within, chat, offload
from stelae.dialects.base import REFUSALS, Operation, Rooms, record_of
from stelae.dialects.decode import decode, read
from stelae.dialects.writing import gather
from stelae.errors import (
    InvalidInput,
    ModelNotFound,
    StelaeError,
)
from stelae.types import Delta

_MESSAGE = msgspec.json.Decoder(MessageRequest)
_COUNT = msgspec.json.Decoder(Asked)

PREFIXES = ("", "/anthropic")
"""What stands before the paths of the API."""


def speaks(headers: Headers) -> bool:
    """Whether a client of this protocol asks."""
    return "anthropic-version" in headers


async def messages(request: Request, rooms: Rooms) -> Response:
    """Go on with a conversation."""
    body = await read(request)
    asked = await offload(len(body), decode, _MESSAGE, body)
    call = await convert.message_call(asked, rooms.fetcher)
    made = await begun_within(request, rooms, call)
    record = record_of(request)
    shape = Shape(
        record.model,
        thoughtful=convert.shows_thought(asked),
        quiet=asked.thinking is not None and asked.thinking.display == "omitted",
        clipped=made.clipped,
    )
    if asked.stream:
        return MessageEvents(_events(request, made.pieces, shape), named(record))
    answer = shape.whole(await gather(made.pieces, 1))
    return json_answer(answer, headers=named(record))


async def _events(
    request: Request, made: AsyncGenerator[list[Delta]], shape: Shape
) -> AsyncGenerator[bytes]:
    """The events of an answer; one that fails ends with an error and without ``message_stop``."""
    telling = Telling(shape)
    try:
        async with aclosing(made):
            async for pieces in made:
                if told := b"".join(map(telling.tell, pieces)):
                    yield told
    except StelaeError as error:
        record = record_of(request)
        record.error = error.code
        yield event("error", **error_fields(error, record))


async def count_tokens(request: Request, rooms: Rooms) -> Response:
    """Count the tokens of a conversation."""
    body = await read(request)
    asked = await offload(len(body), decode, _COUNT, body)
    call = await convert.count_call(asked, rooms.fetcher)
    made = await gather(chat(request, rooms, call), 1)
    counted = Counted(input_tokens=made.usage.prompt_tokens)
    return json_answer(counted, headers=named(record_of(request)))


async def list_models(request: Request, rooms: Rooms) -> Response:
    """The models that chat, in pages."""
    models = page(rooms.fleet.models(), request.query_params, rooms.about.started)
    return json_answer(models, headers=named(record_of(request)))


async def get_model(request: Request, rooms: Rooms) -> Response:
    """One model, by any of its names."""
    info = rooms.fleet.model(request.path_params["id"])
    model = listed(info, rooms.about.started)
    return json_answer(model, headers=named(record_of(request)))


_HELLO = {"model": "Qwen3-0.6B", "messages": [{"role": "user", "content": "Hello"}]}


def _operations(prefix: str) -> tuple[Operation, ...]:
    return (
        Operation(
            method="POST",
            path=f"{prefix}/v1/messages",
            handle=messages,
            summary="Go on with a conversation, as Anthropic's clients ask for it.",
            request=MessageRequest,
            example={**_HELLO, "max_tokens": 64},
            response=Answer,
            errors=REFUSALS,
            media=("application/json", "text/event-stream"),
        ),
        Operation(
            method="POST",
            path=f"{prefix}/v1/messages/count_tokens",
            handle=count_tokens,
            summary="Count the tokens of a conversation.",
            request=Asked,
            example=_HELLO,
            response=Counted,
            errors=REFUSALS,
        ),
        Operation(
            method="GET",
            path=f"{prefix}/v1/models",
            handle=list_models,
            summary="List the models that chat, for Anthropic's clients.",
            response=Page,
            errors=(InvalidInput,),
        ),
        Operation(
            method="GET",
            path=f"{prefix}/v1/models/{{id:path}}",
            handle=get_model,
            summary="Describe one model, for Anthropic's clients.",
            response=Listed,
            errors=(ModelNotFound,),
        ),
    )


OPERATIONS = tuple(operation for prefix in PREFIXES for operation in _operations(prefix))
