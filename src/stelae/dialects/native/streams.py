"""Verbs that answer piece by piece, on Stelae's own paths: events, and one for an error."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import error_body
from stelae.dialects.ask import begun, chat, image, offload, speak, transcribe
from stelae.dialects.base import REFUSALS, Handle, Operation, Rooms, record_of
from stelae.dialects.decode import read
from stelae.dialects.events import EventsResponse, event
from stelae.dialects.native import convert
from stelae.errors import StelaeError
from stelae.types import (
    ChatCall,
    Delta,
    ImageCall,
    ImagePiece,
    SpeechCall,
    SpeechPiece,
    TranscribeCall,
    TranscribePiece,
)

C = TypeVar("C")
P = TypeVar("P")


def _told(kind: type[C], ask: Callable[[Request, Rooms, C], AsyncGenerator[list[P]]]) -> Handle:
    """A verb of the house: its call in, its pieces out; each event is a list of them."""

    async def handle(request: Request, rooms: Rooms) -> Response:
        media = convert.sent(request)
        body = await read(request)
        call = await offload(len(body), convert.call_of, kind, body, media)
        return EventsResponse(_events(request, await begun(ask(request, rooms, call))))

    handle.__name__ = f"{ask.__name__}_pieces"
    return handle


async def _events(request: Request, made: AsyncGenerator[list[P]]) -> AsyncGenerator[bytes]:
    try:
        async with aclosing(made):
            async for pieces in made:
                yield event(msgspec.json.encode(pieces))
    except StelaeError as error:
        record = record_of(request)
        record.error = error.code
        yield event(msgspec.json.encode(error_body(error, record), enc_hook=str))


def _operation(path: str, handle: Handle, summary: str, **more: Any) -> Operation:
    return Operation(
        method="POST",
        path=f"/stelae/v1/{path}",
        handle=handle,
        summary=f"{summary}, piece by piece; the last piece has `usage`.",
        errors=REFUSALS,
        media=("application/json", "application/msgpack", "text/event-stream"),
        **more,
    )


STREAM_OPERATIONS = (
    _operation(
        "chat",
        _told(ChatCall, chat),
        "Go on with a conversation",
        request=ChatCall,
        example={
            "model": "Qwen3-0.6B",
            "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}],
        },
        response=Delta,
    ),
    _operation(
        "image",
        _told(ImageCall, image),
        "Make pictures from a prompt, or from other pictures",
        request=ImageCall,
        example={"model": "sd-turbo", "prompt": "A lighthouse at dusk", "seed": 1},
        response=ImagePiece,
    ),
    _operation(
        "transcribe",
        _told(TranscribeCall, transcribe),
        "Write down what is said in a recording",
        request=TranscribeCall,
        example={"model": "whisper-tiny", "audio": "UklGRg=="},
        response=TranscribePiece,
    ),
    _operation(
        "speak",
        _told(SpeechCall, speak),
        "Read a text aloud",
        request=SpeechCall,
        example={"model": "mms-tts-eng", "text": "Hello, world", "format": "wav"},
        response=SpeechPiece,
    ),
)
