"""Chats on Stelae's own paths: pieces as events, and one event for an error."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import error_body
from stelae.dialects.ask import begun, chat, offload
from stelae.dialects.base import Operation, Rooms, record_of
from stelae.dialects.decode import read
from stelae.dialects.events import EventsResponse, event
from stelae.dialects.native import convert
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


async def chat_pieces(request: Request, rooms: Rooms) -> Response:
    """Go on with a conversation; each event is a list of pieces."""
    media = convert.sent(request)
    body = await read(request)
    call = await offload(len(body), convert.call_of, ChatCall, body, media)
    return EventsResponse(_events(request, await begun(chat(request, rooms, call))))


async def _events(request: Request, made: AsyncGenerator[list[Delta]]) -> AsyncGenerator[bytes]:
    try:
        async with aclosing(made):
            async for pieces in made:
                yield event(msgspec.json.encode(pieces))
    except StelaeError as error:
        record = record_of(request)
        record.error = error.code
        yield event(msgspec.json.encode(error_body(error, record), enc_hook=str))


CHAT_OPERATIONS = (
    Operation(
        method="POST",
        path="/stelae/v1/chat",
        handle=chat_pieces,
        summary="Go on with a conversation, piece by piece; the last piece has `usage`.",
        request=ChatCall,
        example={
            "model": "Qwen3-0.6B",
            "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}],
        },
        response=Delta,
        errors=(
            InvalidInput, InputTooLong, UnsupportedTask, ModelNotFound, QueueFull, ModelNotReady,
            DeadlineExceeded,
        ),
        media=("application/json", "application/msgpack", "text/event-stream"),
    ),
)  # fmt: skip
