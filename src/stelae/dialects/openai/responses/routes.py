"""OpenAI's responses: made, looked at, forgotten."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import json_answer
from stelae.dialects.ask import begun, chat, offload
from stelae.dialects.base import REFUSALS, Operation, Rooms, record_of
from stelae.dialects.decode import read
from stelae.dialects.events import EventsResponse
from stelae.dialects.openai.chat_routes import MEDIA
from stelae.dialects.openai.convert import error_object
from stelae.dialects.openai.options import understood
from stelae.dialects.openai.pages import paged
from stelae.dialects.openai.responses.kept import Shelf
from stelae.dialects.openai.responses.read import fields_as_sent, response_call
from stelae.dialects.openai.responses.schema import (
    InputItemList,
    InputTokens,
    ResponseAnswer,
    ResponseDeleted,
    ResponseRequest,
)
from stelae.dialects.openai.responses.telling import Numbered, Telling
from stelae.dialects.writing import gather
from stelae.errors import Conflict, InvalidInput, NotFound, StelaeError
from stelae.types import ChatCall, Delta

RESPONSE: msgspec.json.Decoder[ResponseRequest] = msgspec.json.Decoder(ResponseRequest)


async def create_response(request: Request, rooms: Rooms) -> Response:
    """Go on with a conversation."""
    asked, call = await _asked(request, rooms)
    with fields_as_sent():
        made = await begun(chat(request, rooms, call))
    telling = Telling(asked, record_of(request).model)
    shelf = Shelf(request, rooms)
    if asked.stream:
        return EventsResponse(_events(request, asked, made, telling, shelf))
    async with aclosing(telling.events(made)) as events:
        async for _ in events:
            pass
    return json_answer(await kept(asked, telling, shelf))


async def _asked(request: Request, rooms: Rooms) -> tuple[ResponseRequest, ChatCall]:
    body = await read(request)
    asked = await offload(len(body), understood, RESPONSE, body)
    before = await Shelf(request, rooms).before(asked)
    return asked, await response_call(asked, before, rooms.fetcher)


async def kept(asked: ResponseRequest, telling: Telling, shelf: Shelf) -> ResponseAnswer:
    """A response that is over, and kept if it is to be.

    Raises:
        StelaeError: It cannot be kept, and the caller asked for that.
    """
    answer = telling.over(stored=True)
    if await shelf.keep(asked, answer):
        return answer
    return telling.over(stored=False)


async def _events(
    request: Request,
    asked: ResponseRequest,
    made: AsyncGenerator[list[Delta]],
    telling: Telling,
    shelf: Shelf,
) -> AsyncGenerator[bytes]:
    """The events of a response; the last tells how it ended, and after a failure, why."""
    number = Numbered()
    for kind in ("created", "in_progress"):
        yield number({"type": f"response.{kind}", "response": telling.begun()})
    try:
        async with aclosing(telling.events(made)) as events:
            async for event in events:
                yield number(event)
        answer = await kept(asked, telling, shelf)
    except StelaeError as error:
        record_of(request).error = error.code
        failed = telling.failed("server_error", str(error))
        yield number({"type": "response.failed", "response": failed})
        fields = error_object(error, request)
        named = {name: fields[name] for name in ("code", "message", "param")}
        yield number({"type": "error", **named, "error": fields})
        return
    yield number({"type": f"response.{answer.status}", "response": answer})


async def count_input(request: Request, rooms: Rooms) -> Response:
    """Count the tokens of what a response would be asked with."""
    _, call = await _asked(request, rooms)
    call = msgspec.structs.replace(call, count_only=True, n=1)
    with fields_as_sent():
        counted = await gather(chat(request, rooms, call), 1)
    tokens = counted.usage.prompt_tokens
    return json_answer(InputTokens(object="response.input_tokens", input_tokens=tokens))


async def get_response(request: Request, rooms: Rooms) -> Response:
    """A response that was kept."""
    if request.query_params.get("stream", "false").lower() == "true":
        raise InvalidInput("stream: a response that is over is told whole only", param="stream")
    found = await Shelf(request, rooms).find(request.path_params["id"])
    return json_answer(found.answer)


async def delete_response(request: Request, rooms: Rooms) -> Response:
    """Forget a response."""
    name = request.path_params["id"]
    await Shelf(request, rooms).forget(name)
    return json_answer(ResponseDeleted(id=name, object="response", deleted=True))


async def cancel_response(request: Request, rooms: Rooms) -> Response:
    """Refuse to cancel: no response is made in the background."""
    await Shelf(request, rooms).find(request.path_params["id"])
    raise Conflict(
        "the response is over: none is made in the background here",
        hint="close the connection to cancel one that is being made",
    )


class _Named(msgspec.Struct, frozen=True):
    id: str
    item: dict[str, object]


async def list_input(request: Request, rooms: Rooms) -> Response:
    """What a response was asked with, the newest first unless ``order=asc``."""
    found = await Shelf(request, rooms).find(request.path_params["id"])
    steps = [_Named(str(item["id"]), item) for item in reversed(found.input)]
    page, more = paged(steps, request)
    ends = (page[0].id, page[-1].id) if page else ("", "")
    items = [step.item for step in page]
    told = InputItemList(
        object="list", data=items, first_id=ends[0], last_id=ends[1], has_more=more
    )
    return json_answer(told)


RESPONSE_OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/responses",
        handle=create_response,
        summary="Go on with a conversation of which the server keeps the course.",
        request=ResponseRequest,
        example={"model": "Qwen3-0.6B", "input": "Hello"},
        response=ResponseAnswer,
        errors=REFUSALS,
        media=MEDIA,
    ),
    Operation(
        method="POST",
        path="/v1/responses/input_tokens",
        handle=count_input,
        summary="Count the tokens of what a response would be asked with.",
        request=ResponseRequest,
        example={"model": "Qwen3-0.6B", "input": "Hello"},
        response=InputTokens,
        errors=REFUSALS,
    ),
    Operation(
        method="GET",
        path="/v1/responses/{id}",
        handle=get_response,
        summary="A response that was kept.",
        response=ResponseAnswer,
        errors=(NotFound,),
    ),
    Operation(
        method="DELETE",
        path="/v1/responses/{id}",
        handle=delete_response,
        summary="Forget a response.",
        response=ResponseDeleted,
        errors=(NotFound,),
    ),
    Operation(
        method="POST",
        path="/v1/responses/{id}/cancel",
        handle=cancel_response,
        summary="Always refused: no response is made in the background.",
        errors=(NotFound, Conflict),
    ),
    Operation(
        method="GET",
        path="/v1/responses/{id}/input_items",
        handle=list_input,
        summary="What a response was asked with.",
        response=InputItemList,
        errors=(NotFound,),
    ),
)
