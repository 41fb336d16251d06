"""OpenAI's chats and completions, whole or as events."""

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
from stelae.dialects.events import EventsResponse, event
from stelae.dialects.openai.chat_answers import ChatCompletion, Completion
from stelae.dialects.openai.chat_read import chat_call, completion_calls, is_older
from stelae.dialects.openai.chat_schema import ChatRequest, CompletionRequest, Sampled
from stelae.dialects.openai.chat_write import ChatShape, Shape, tells, usage
from stelae.dialects.openai.completion_write import CompletionShape
from stelae.dialects.openai.convert import error_object
from stelae.dialects.openai.options import understood
from stelae.dialects.several import chats
from stelae.dialects.writing import gather
from stelae.errors import (
    StelaeError,
)
from stelae.types import ChatCall, Delta

CHAT: msgspec.json.Decoder[ChatRequest] = msgspec.json.Decoder(ChatRequest)
COMPLETION: msgspec.json.Decoder[CompletionRequest] = msgspec.json.Decoder(CompletionRequest)

DONE = event(b"[DONE]")


async def chat_completions(request: Request, rooms: Rooms) -> Response:
    """Go on with a conversation."""
    body = await read(request)
    asked = await offload(len(body), understood, CHAT, body)
    call = await chat_call(asked, rooms.fetcher)
    record_of(request).called = asked.request_id or ""
    made = await begun(chat(request, rooms, call))
    shape = ChatShape(record_of(request).model, older=is_older(asked))
    return await _answer(request, asked, call.n, made, shape)


async def completions(request: Request, rooms: Rooms) -> Response:
    """Go on with a text, or with several."""
    body = await read(request)
    asked = await offload(len(body), understood, COMPLETION, body)
    calls = completion_calls(asked)
    record_of(request).called = asked.request_id or ""
    made = await begun(chats(request, rooms, calls))
    shape = CompletionShape(record_of(request).model, echoed(asked, calls))
    return await _answer(request, asked, sum(call.n for call in calls), made, shape)


def echoed(asked: CompletionRequest, calls: list[ChatCall]) -> list[str]:
    """What is told before each text, if that is wanted."""
    return [call.prompt or "" for call in calls for _ in range(call.n)] if asked.echo else []


async def _answer(
    request: Request, asked: Sampled, count: int, made: AsyncGenerator[list[Delta]], shape: Shape
) -> Response:
    if asked.stream:
        told = asked.stream_options is not None and bool(asked.stream_options.include_usage)
        return EventsResponse(_events(request, count, made, shape, told))
    return json_answer(shape.whole(await gather(made, count)))


async def _events(
    request: Request, count: int, made: AsyncGenerator[list[Delta]], shape: Shape, told: bool
) -> AsyncGenerator[bytes]:
    """The events of an answer; one that fails ends with an error and without ``[DONE]``."""
    openings = [shape.opening(index) for index in range(count)]
    others = None if told else msgspec.UNSET
    try:
        async with aclosing(made):
            for choice in filter(None, openings):
                yield event(shape.chunk([choice], others))
            async for pieces in made:
                chunks = [shape.chunk([shape.choice(p)], others) for p in pieces if tells(p)]
                if told and (used := pieces[-1].usage) is not None:
                    chunks.append(shape.chunk([], usage(used)))
                if chunks:
                    yield b"".join(map(event, chunks))
    except StelaeError as error:
        record_of(request).error = error.code
        yield event(msgspec.json.encode({"error": error_object(error, request)}, enc_hook=str))
        return
    yield DONE


MEDIA = ("application/json", "text/event-stream")

CHAT_OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/chat/completions",
        handle=chat_completions,
        summary="Go on with a conversation.",
        request=ChatRequest,
        example={"model": "Qwen3-0.6B", "messages": [{"role": "user", "content": "Hello"}]},
        response=ChatCompletion,
        errors=REFUSALS,
        media=MEDIA,
    ),
    Operation(
        method="POST",
        path="/v1/completions",
        handle=completions,
        summary="Go on with a text, or with several.",
        request=CompletionRequest,
        example={"model": "Qwen3-0.6B", "prompt": "Once upon a time"},
        response=Completion,
        errors=REFUSALS,
        media=MEDIA,
    ),
)
