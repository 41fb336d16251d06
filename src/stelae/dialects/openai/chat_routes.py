"""OpenAI's chats and completions, whole or as events."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import json_answer
from stelae.dialects.ask import begun, chat
from stelae.dialects.base import Operation, Rooms, record_of
from stelae.dialects.decode import decode, read
from stelae.dialects.events import EventsResponse, event
from stelae.dialects.openai import chat_convert as convert
from stelae.dialects.openai.chat_schema import (
    ChatCompletion,
    ChatRequest,
    Completion,
    CompletionRequest,
)
from stelae.dialects.openai.convert import error_object
from stelae.errors import (
    DeadlineExceeded,
    InputTooLong,
    InvalidInput,
    ModelNotFound,
    ModelNotReady,
    QueueFull,
    StelaeError,
    UnsupportedTask,
)
from stelae.types import ChatCall, Delta

_CHAT = msgspec.json.Decoder(ChatRequest)
_COMPLETION = msgspec.json.Decoder(CompletionRequest)

DONE = event(b"[DONE]")


async def chat_completions(request: Request, rooms: Rooms) -> Response:
    """Go on with a conversation."""
    asked = decode(_CHAT, await read(request))
    call = convert.chat_call(asked)
    made = await begun(chat(request, rooms, call))
    return await _answer(request, asked, call, made, convert.ChatShape(record_of(request).model))


async def completions(request: Request, rooms: Rooms) -> Response:
    """Go on with a text."""
    asked = decode(_COMPLETION, await read(request))
    call = convert.completion_call(asked)
    made = await begun(chat(request, rooms, call))
    shape = convert.CompletionShape(record_of(request).model)
    return await _answer(request, asked, call, made, shape)


async def _answer(
    request: Request,
    asked: ChatRequest | CompletionRequest,
    call: ChatCall,
    made: AsyncGenerator[list[Delta]],
    shape: convert.Shape,
) -> Response:
    if asked.stream:
        told = asked.stream_options is not None and bool(asked.stream_options.include_usage)
        return EventsResponse(_events(request, call, made, shape, told))
    gathered = convert.Gathered([convert.Written() for _ in range(call.n)])
    async with aclosing(made):
        async for pieces in made:
            gathered.add(pieces)
    return json_answer(shape.whole(gathered))


async def _events(
    request: Request,
    call: ChatCall,
    made: AsyncGenerator[list[Delta]],
    shape: convert.Shape,
    told: bool,
) -> AsyncGenerator[bytes]:
    """The events of an answer; one that fails ends with an error and without ``[DONE]``."""
    openings = [shape.opening(index) for index in range(call.n)]
    others = None if told else msgspec.UNSET
    try:
        async with aclosing(made):
            for choice in filter(None, openings):
                yield event(shape.chunk([choice], others))
            async for pieces in made:
                for piece in pieces:
                    if piece.usage is None:
                        yield event(shape.chunk([shape.choice(piece)], others))
                    elif told:
                        yield event(shape.chunk([], convert.usage(piece.usage)))
    except StelaeError as error:
        record_of(request).error = error.code
        yield event(msgspec.json.encode({"error": error_object(error, request)}, enc_hook=str))
        return
    yield DONE


_REFUSALS = (
    InvalidInput, InputTooLong, UnsupportedTask, ModelNotFound, QueueFull, ModelNotReady,
    DeadlineExceeded,
)  # fmt: skip
_BOTH = ("application/json", "text/event-stream")

CHAT_OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/chat/completions",
        handle=chat_completions,
        summary="Go on with a conversation.",
        request=ChatRequest,
        example={"model": "Qwen3-0.6B", "messages": [{"role": "user", "content": "Hello"}]},
        response=ChatCompletion,
        errors=_REFUSALS,
        media=_BOTH,
    ),
    Operation(
        method="POST",
        path="/v1/completions",
        handle=completions,
        summary="Go on with a text.",
        request=CompletionRequest,
        example={"model": "Qwen3-0.6B", "prompt": "Once upon a time"},
        response=Completion,
        errors=_REFUSALS,
        media=_BOTH,
    ),
)
