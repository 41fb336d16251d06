"""Ollama's chats and prompts, in lines or whole."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import json_answer
from stelae.dialects.ask import begun_within, offload
from stelae.dialects.base import REFUSALS, Operation, Rooms, record_of
from stelae.dialects.decode import decode, read
from stelae.dialects.events import LinesResponse, line
from stelae.dialects.ollama import convert
from stelae.dialects.ollama.errors import error_body
from stelae.dialects.ollama.lines import Clock, Teller
from stelae.dialects.ollama.names import find
from stelae.dialects.ollama.schema import OllamaAnswer, OllamaChatRequest, OllamaGenerateRequest
from stelae.dialects.writing import gather
from stelae.errors import (
    StelaeError,
)
from stelae.types import ChatCall, Delta, ModelInfo, ModelState

_CHAT = msgspec.json.Decoder(OllamaChatRequest)
_GENERATE = msgspec.json.Decoder(OllamaGenerateRequest)

Asked = OllamaChatRequest | OllamaGenerateRequest


async def chat_messages(request: Request, rooms: Rooms) -> Response:
    """Go on with a conversation; without one, load the model."""
    body = await read(request)
    asked = await offload(len(body), decode, _CHAT, body)
    info = find(rooms.fleet, asked.model)
    teller = Teller(asked.model, _clock(info), chat=True)
    if not asked.messages:
        return await _loaded(request, rooms, asked, info, teller)
    call = await offload(len(body), convert.chat_call, asked, info.name, rooms.fetcher)
    return await _answer(request, rooms, asked, call, teller)


async def generate(request: Request, rooms: Rooms) -> Response:
    """Go on with a prompt; without one, load the model."""
    body = await read(request)
    asked = await offload(len(body), decode, _GENERATE, body)
    info = find(rooms.fleet, asked.model)
    teller = Teller(asked.model, _clock(info), chat=False)
    if not asked.prompt and not asked.images:
        return await _loaded(request, rooms, asked, info, teller)
    call = await offload(len(body), convert.generate_call, asked, info.name, rooms.fetcher)
    return await _answer(request, rooms, asked, call, teller)


def _clock(info: ModelInfo) -> Clock:
    return Clock(time.perf_counter(), loaded=info.state is ModelState.READY)


async def _loaded(
    request: Request, rooms: Rooms, asked: Asked, info: ModelInfo, teller: Teller
) -> Response:
    record_of(request).model = info.name
    if asked.keep_alive in (0, "0", "0s", "0m"):
        await rooms.fleet.unload(info.name)
        return json_answer(teller.loaded("unload"))
    await rooms.fleet.load(info.name)
    return json_answer(teller.loaded("load"))


async def _answer(
    request: Request, rooms: Rooms, asked: Asked, call: ChatCall, teller: Teller
) -> Response:
    made = (await begun_within(request, rooms, call)).pieces
    unused = convert.ignored(asked.options)
    headers = {"X-Stelae-Ignored": ", ".join(map(ascii, unused))[:1024]} if unused else {}
    if asked.stream is not False:
        return LinesResponse(_lines(request, made, teller), headers)
    teller.begin()
    return json_answer(teller.whole(await gather(made, 1)), 200, headers)


async def _lines(
    request: Request, made: AsyncGenerator[list[Delta]], teller: Teller
) -> AsyncGenerator[bytes]:
    """The lines of an answer; one that fails ends with an error, and is never ``done``."""
    try:
        async with aclosing(made):
            async for pieces in made:
                for part in teller.lines(pieces):
                    yield line(part)
    except StelaeError as error:
        record_of(request).error = error.code
        yield line(error_body(error, request))
        return
    yield line(teller.last())


_MEDIA = ("application/x-ndjson", "application/json")

WRITING_OPERATIONS = (
    Operation(
        method="POST",
        path="/api/chat",
        handle=chat_messages,
        summary="Go on with a conversation, line by line.",
        request=OllamaChatRequest,
        example={"model": "Qwen3-0.6B", "messages": [{"role": "user", "content": "Hello"}]},
        response=OllamaAnswer,
        errors=REFUSALS,
        media=_MEDIA,
    ),
    Operation(
        method="POST",
        path="/api/generate",
        handle=generate,
        summary="Go on with a prompt, line by line.",
        request=OllamaGenerateRequest,
        example={"model": "Qwen3-0.6B", "prompt": "Hello"},
        response=OllamaAnswer,
        errors=REFUSALS,
        media=_MEDIA,
    ),
)
