"""From a request to the rooms behind: run its call, with its deadline, for its caller."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar

from msgspec.structs import replace
from starlette.requests import Request

from stelae.dialects.base import Asking, Rooms, header_of, name_of, record_of
from stelae.errors import DeadlineExceeded, InputTooLong, InvalidInput, ModelNotFound, StelaeError
from stelae.service.inference import Caller
from stelae.telemetry.metrics import Served
from stelae.types import (
    ChatCall,
    ChatUsage,
    Delta,
    EncodeCall,
    EncodeResult,
    ExtractCall,
    ExtractResult,
    ImageCall,
    ImagePiece,
    ImageUsage,
    IndexCall,
    IndexResult,
    ScoreCall,
    ScoreResult,
    SearchCall,
    SearchResult,
    SpeechCall,
    SpeechPiece,
    SpeechUsage,
    Timing,
    TranscribeCall,
    TranscribePiece,
    TranscribeUsage,
)
from stelae.wire.slices import is_large

P = ParamSpec("P")
T = TypeVar("T")
AnyCall = TypeVar("AnyCall", EncodeCall, ScoreCall, ExtractCall, IndexCall, SearchCall)
AnyResult = TypeVar(
    "AnyResult", EncodeResult, ScoreResult, ExtractResult, IndexResult, SearchResult
)
AnyStreamCall = TypeVar("AnyStreamCall", ChatCall, ImageCall, TranscribeCall, SpeechCall)
AnyPiece = TypeVar("AnyPiece", Delta, ImagePiece, TranscribePiece, SpeechPiece)
AnyUsage = ChatUsage | ImageUsage | TranscribeUsage | SpeechUsage

OFFLOAD_BYTES = 1024 * 1024
"""Work on more bytes than this is done in a thread."""

LITTLE_BYTES, LITTLE_ITEMS = 1 << 16, 256
"""Vectors and items of a result that need not be looked at further."""


def encode(
    request: Request | Asking, rooms: Rooms, call: EncodeCall, caller: Caller | None = None
) -> Awaitable[EncodeResult]:
    """Run a call for the request's caller and note what it used."""
    return _ask(request, rooms, call, rooms.inference.encode, caller)


def score(
    request: Request | Asking, rooms: Rooms, call: ScoreCall, caller: Caller | None = None
) -> Awaitable[ScoreResult]:
    """Run a call for the request's caller and note what it used."""
    return _ask(request, rooms, call, rooms.inference.score, caller)


def extract(
    request: Request | Asking, rooms: Rooms, call: ExtractCall, caller: Caller | None = None
) -> Awaitable[ExtractResult]:
    """Run a call for the request's caller and note what it used."""
    return _ask(request, rooms, call, rooms.inference.extract, caller)


def index(
    request: Request | Asking, rooms: Rooms, call: IndexCall, caller: Caller | None = None
) -> Awaitable[IndexResult]:
    """Run a call for the request's caller and note what it used."""
    return _ask(request, rooms, call, rooms.search.index, caller)


def search(
    request: Request | Asking, rooms: Rooms, call: SearchCall, caller: Caller | None = None
) -> Awaitable[SearchResult]:
    """Run a call for the request's caller and note what it used."""
    return _ask(request, rooms, call, rooms.search.search, caller)


def chat(
    request: Request | Asking, rooms: Rooms, call: ChatCall, caller: Caller | None = None
) -> AsyncGenerator[list[Delta]]:
    """Run a call for the request's caller, piece by piece, and note what it used."""
    return _told(request, rooms, call, rooms.inference.chat, caller)


def image(
    request: Request | Asking, rooms: Rooms, call: ImageCall, caller: Caller | None = None
) -> AsyncGenerator[list[ImagePiece]]:
    """Run a call for the request's caller, piece by piece, and note what it used."""
    return _told(request, rooms, call, rooms.inference.image, caller)


def transcribe(
    request: Request | Asking, rooms: Rooms, call: TranscribeCall, caller: Caller | None = None
) -> AsyncGenerator[list[TranscribePiece]]:
    """Run a call for the request's caller, piece by piece, and note what it used."""
    return _told(request, rooms, call, rooms.inference.transcribe, caller)


def speak(
    request: Request | Asking, rooms: Rooms, call: SpeechCall, caller: Caller | None = None
) -> AsyncGenerator[list[SpeechPiece]]:
    """Run a call for the request's caller, piece by piece, and note what it used."""
    return _told(request, rooms, call, rooms.inference.speak, caller)


async def _told(
    request: Request | Asking,
    rooms: Rooms,
    call: AnyStreamCall,
    verb: Callable[[AnyStreamCall, Caller], AsyncGenerator[list[AnyPiece]]],
    caller: Caller | None,
) -> AsyncGenerator[list[AnyPiece]]:
    record = record_of(request)
    record.model = rooms.fleet.model(call.model).name
    stream = verb(call, caller or caller_of(request))
    if record.called:
        name = name_of(request, record.called)
        stream = rooms.following.through(stream, name, record.model, partial(_part, call))
    async with aclosing(stream) as made:
        async for pieces in made:
            if (usage := pieces[-1].usage) is not None:
                record.served = _served(record.model, getattr(call, "n", 1), usage)
            yield pieces


def _part(call: AnyStreamCall, pieces: Sequence[object]) -> float:
    """How far a call is with some pieces, 0 to 1; a text is half done until it ends."""
    match pieces[-1]:
        case ImagePiece(steps=steps) as piece if isinstance(call, ImageCall) and steps:
            return (piece.index + piece.step / steps) / call.n
        case _:
            return 0.5


def _served(model: str, items: int, usage: AnyUsage) -> Served:
    """What an answer in pieces adds to the counters."""
    match usage:
        case ChatUsage():
            tokens, truncated = usage.total_tokens, 0
        case ImageUsage():
            tokens, truncated = usage.prompt_tokens, int(usage.truncated)
        case TranscribeUsage():
            tokens, truncated = usage.tokens, 0
        case SpeechUsage():
            tokens, truncated = 0, 0
    return Served(model=model, tokens=tokens, items=items, truncated=truncated, timing=Timing())


async def begun(stream: AsyncGenerator[T]) -> AsyncGenerator[T]:
    """A stream whose first part has come: what is wrong with a call is told before.

    Raises:
        StelaeError: As the stream does for its first part.
    """
    return (await opened(stream))[1]


async def opened(stream: AsyncGenerator[T]) -> tuple[T, AsyncGenerator[T]]:
    """The first part of a stream, and the stream with that part.

    Raises:
        StelaeError: As the stream does for its first part.
    """
    first = await anext(stream)
    return first, _from(first, stream)


class Bounded(NamedTuple):
    """An answer as it is made, and whether the model could write less than was asked for."""

    pieces: AsyncGenerator[list[Delta]]
    clipped: bool


async def begun_within(request: Request, rooms: Rooms, call: ChatCall) -> Bounded:
    """A chat whose first part has come, and whose ``max_tokens`` is a bound.

    Less is written where less fits.

    Raises:
        StelaeError: As for ``begun``.
    """
    try:
        return Bounded(await begun(chat(request, rooms, call)), clipped=False)
    except InputTooLong as error:
        if error.param != "max_tokens":
            raise
    rest = replace(call, sampling=replace(call.sampling, max_tokens=None))
    return Bounded(await begun(chat(request, rooms, rest)), clipped=True)


async def _from(first: T, stream: AsyncGenerator[T]) -> AsyncGenerator[T]:
    async with aclosing(stream):
        yield first
        async for part in stream:
            yield part


async def _ask(
    request: Request | Asking,
    rooms: Rooms,
    call: AnyCall,
    verb: Callable[[AnyCall, Caller], Awaitable[AnyResult]],
    caller: Caller | None,
) -> AnyResult:
    record = record_of(request)
    try:
        result = await verb(call, caller or caller_of(request))
    except ModelNotFound:
        raise
    except StelaeError:
        if not isinstance(call, SearchCall) and call.model is not None:
            record.model = rooms.fleet.model(call.model).name
        raise
    record.model = result.model
    record.served = Served(
        model=result.model,
        tokens=result.usage.tokens,
        items=len(result.truncated),
        truncated=result.truncated.tobytes().count(1),
        timing=result.timing,
        remembered=result.usage.remembered,
        error_codes=tuple([error.code for error in result.errors.values()]),
    )
    return result


def caller_of(
    request: Request | Asking,
    *,
    load_wait: float | None = None,
    pool: str | None = None,
    machine: str | None = None,
) -> Caller:
    """Who asks, as the headers of the house tell it, and what a dialect has headers for beside.

    Args:
        request: The request.
        load_wait: As of ``Caller``.
        pool: As of ``Caller``.
        machine: As of ``Caller``.

    Raises:
        InvalidInput: A header cannot be read.
        DeadlineExceeded: No time is left.
    """
    record = record_of(request)
    timeout = request.seconds if isinstance(request, Asking) else timeout_of(request)
    return Caller(
        request_id=record.id,
        key_id=record.key_id,
        timeout=timeout,
        load_wait=load_wait,
        pool=pool,
        machine=machine,
    )


def timeout_of(request: Request) -> float | None:
    """Seconds the caller gives, from ``X-Request-Timeout-Ms``, if it states any.

    Raises:
        InvalidInput: The header is not a number.
        DeadlineExceeded: No time is left.
    """
    given = header_of(request, b"x-request-timeout-ms")
    if given is None:
        return None
    try:
        seconds = float(given) / 1000
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise InvalidInput(
            "header X-Request-Timeout-Ms must be a number of milliseconds",
            param="X-Request-Timeout-Ms",
        )
    if seconds <= 0:
        raise DeadlineExceeded("the request arrived with no time left")
    return seconds


async def offload(size: int, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function here if it works on few bytes, else in a thread."""
    if size <= OFFLOAD_BYTES:
        return function(*args, **kwargs)
    return await asyncio.to_thread(function, *args, **kwargs)


def _is_little(result: Any) -> bool:
    """Whether a few looks show that a result is small, as most are."""
    return (
        type(result) is EncodeResult
        and result.dense is not None
        and result.dense.nbytes <= LITTLE_BYTES
        and len(result.tokens) <= LITTLE_ITEMS
        and result.sparse is None
        and result.multivector is None
        and not result.errors
    )


async def render(
    function: Callable[Concatenate[AnyResult, P], T],
    result: AnyResult,
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Make the answer that tells a result here if it is small, else in a thread."""
    if _is_little(result) or not is_large(result):
        return function(result, *args, **kwargs)
    return await asyncio.to_thread(function, result, *args, **kwargs)
