"""Bodies of the native protocol: msgpack or JSON, chosen by the headers."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import error_body, error_headers
from stelae.dialects.base import header_of, record_of
from stelae.dialects.decode import Decoder, decode
from stelae.errors import InvalidInput, StelaeError
from stelae.types import (
    ChatCall,
    EncodeCall,
    ExtractCall,
    ImageCall,
    IndexCall,
    ScoreCall,
    SearchCall,
    SpeechCall,
    TranscribeCall,
)
from stelae.wire.arrays import Buffer, from_plain, narrowed, pack, pack_pieces, to_json
from stelae.wire.slices import json_slices

T = TypeVar("T")


class Media(StrEnum):
    """Media types of this protocol."""

    JSON = "application/json"
    MSGPACK = "application/msgpack"


MSGPACK_NAMES = frozenset(
    {"application/msgpack", "application/x-msgpack", "application/vnd.msgpack"}
)


def _pixels(kind: type, value: Any) -> Any:
    """The pixels of an item."""
    array = from_plain(kind, value)
    return narrowed(array) if isinstance(value, list) else array


def _decoders(kind: type[T]) -> dict[Media, Decoder[T]]:
    return {
        Media.JSON: msgspec.json.Decoder(kind, dec_hook=_pixels),
        Media.MSGPACK: msgspec.msgpack.Decoder(kind, dec_hook=_pixels),
    }


_CALLS: dict[type, dict[Media, Decoder[Any]]] = {
    kind: _decoders(kind)
    for kind in (
        EncodeCall,
        ScoreCall,
        ExtractCall,
        IndexCall,
        SearchCall,
        ChatCall,
        ImageCall,
        TranscribeCall,
        SpeechCall,
    )
}


def sent(request: Request) -> Media:
    """The form of the request's body.

    Raises:
        InvalidInput: The Content-Type is neither msgpack nor JSON.
    """
    given = (header_of(request, b"content-type") or "").partition(";")[0].strip().lower()
    if given in MSGPACK_NAMES:
        return Media.MSGPACK
    if given in {"", "application/json"} or given.endswith("+json"):
        return Media.JSON
    raise InvalidInput(
        f"content-type {given[:64]!r} is not application/msgpack or application/json",
        param="Content-Type",
    )


def wanted(request: Request) -> Media:
    """The form of the answer, from ``Accept``; JSON unless msgpack is named."""
    accept = (header_of(request, b"accept") or "").lower()
    named = accept in MSGPACK_NAMES or any(name in accept for name in MSGPACK_NAMES)
    return Media.MSGPACK if named else Media.JSON


def call_of(kind: type[T], body: bytes, media: Media) -> T:
    """The call of a kind in a body.

    Raises:
        InvalidInput: It is not one; names the field at fault.
    """
    call: T = decode(_CALLS[kind][media], body)
    return call


def answer_body(value: Any, media: Media) -> bytes:
    """A value in the form wanted; arrays are raw buffers in msgpack, lists in JSON."""
    return pack(value) if media is Media.MSGPACK else to_json(value)


def answer_pieces(value: Any, media: Media) -> list[Buffer]:
    """The same in pieces: in msgpack large arrays stay where they are, JSON is made in slices."""
    return pack_pieces(value) if media is Media.MSGPACK else list(json_slices(value))


def answer(value: Any, request: Request, headers: dict[str, str] | None = None) -> Response:
    """A small value as an answer in the form wanted."""
    media = wanted(request)
    return Response(answer_body(value, media), 200, headers, media)


def render_error(error: StelaeError, request: Request) -> Response:
    """An error in the form wanted: ``ErrorInfo`` and the request's id, and a sentence."""
    media = wanted(request)
    data = answer_body(error_body(error, record_of(request)), media)
    return Response(data, error.status, error_headers(error), media)
