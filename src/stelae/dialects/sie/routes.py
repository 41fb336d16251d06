"""SIE's paths: the verbs and the models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
import numpy as np
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import json_answer, result_headers
from stelae.dialects.ask import encode, extract, offload, render, score
from stelae.dialects.base import Operation, Rooms, record_of
from stelae.dialects.decode import Decoder, decode, read
from stelae.dialects.pieces import PiecesResponse
from stelae.dialects.sie.asked import Asked
from stelae.dialects.sie.callers import caller_of
from stelae.dialects.sie.encode import encode_call, encode_json, encode_pieces
from stelae.dialects.sie.errors import version_headers
from stelae.dialects.sie.extract import extract_call, extract_items
from stelae.dialects.sie.forms import JSON, MSGPACK, sent, wanted, written
from stelae.dialects.sie.models import sie_detail, sie_models
from stelae.dialects.sie.schema import (
    EncodeRequest,
    ExtractRequest,
    ScoreRequest,
    SieModelDetail,
    SieModels,
)
from stelae.dialects.sie.score import ranking, score_calls
from stelae.dialects.sie.timing import timing_headers
from stelae.dialects.sie.versions import version
from stelae.errors import (
    DeadlineExceeded,
    ErrorInfo,
    InputTooLong,
    InvalidInput,
    ModelLoadFailed,
    ModelNotFound,
    ModelNotReady,
    QueueFull,
    UnsupportedTask,
    from_info,
)
from stelae.types import (
    EncodeResult,
    ExtractCall,
    ExtractResult,
    ModelInfo,
    ScoreCall,
    ScoreResult,
    Task,
)
from stelae.wire.arrays import Buffer

T = TypeVar("T")


READS_FAULTS = (0, 7, 0)
"""First version of the SDK that reads why an item of ``extract`` failed; others show it empty."""


def _decoders(kind: type[T]) -> dict[str, Decoder[T]]:
    return {MSGPACK: msgspec.msgpack.Decoder(kind), JSON: msgspec.json.Decoder(kind)}


_ENCODE = _decoders(EncodeRequest)
_SCORE = _decoders(ScoreRequest)
_EXTRACT = _decoders(ExtractRequest)


def name_of(request: Request) -> str:
    """The model in the path, without the bundle that may stand before it."""
    name: str = request.path_params["model"]
    return name.partition(":/")[2] or name if ":/" in name else name


def able(rooms: Rooms, name: str, task: Task) -> ModelInfo:
    """The model, if it is not known to be unable; nothing is loaded for it.

    Raises:
        ModelNotFound: There is none.
        UnsupportedTask: It cannot do that.
    """
    info = rooms.fleet.traits(name)
    if info.architecture and task not in info.tasks:
        raise UnsupportedTask(
            f"model {info.name!r} cannot {task}; it can {', '.join(info.tasks)}", param="model"
        )
    return info


async def encode_items(request: Request, rooms: Rooms) -> Response:
    """Items to their representations; one that fails fails the request, for none may be missing."""
    name = name_of(request)
    info = able(rooms, name, Task.ENCODE)
    body = await read(request)
    given = await offload(len(body), decode, _ENCODE[sent(request)], body)
    asked = await offload(len(body), encode_call, given, name, info)
    result = await encode(request, rooms, asked.call, caller_of(request))
    _all_there(result.errors)
    write = encode_json if wanted(request) == JSON else encode_pieces
    answer = await render(write, result, asked, name)
    return _answer(request, result, answer, asked)


async def score_items(request: Request, rooms: Rooms) -> Response:
    """A query and items to a ranking of them all."""
    name = name_of(request)
    info = able(rooms, name, Task.SCORE)
    body = await read(request)
    given = await offload(len(body), decode, _SCORE[sent(request)], body)
    asked, calls = await offload(len(body), score_calls, given, name, info)
    parts = [await score(request, rooms, call, caller_of(request)) for _, call in calls]
    for part in parts:
        _all_there(part.errors)
    result = _added(parts, [weight for weight, _ in calls])
    answer = await render(_ranked, result, asked, name, given.query.id, wanted(request))
    return _answer(request, result, answer, asked, pairs=len(asked.ids))


async def extract_from(request: Request, rooms: Rooms) -> Response:
    """Items to what is in them; one that fails keeps its place and says why, if that is read."""
    name = name_of(request)
    info = able(rooms, name, Task.EXTRACT)
    body = await read(request)
    given = await offload(len(body), decode, _EXTRACT[sent(request)], body)
    asked = await offload(len(body), extract_call, given, name, info)
    result = await extract(request, rooms, asked.call, caller_of(request))
    if version(request.headers) < READS_FAULTS:
        _all_there(result.errors)
    answer = await render(_found, result, asked, name, wanted(request))
    return _answer(request, result, answer, asked)


async def list_models(request: Request, rooms: Rooms) -> Response:
    """Every model; none is loaded for it."""
    answer = sie_models(rooms.fleet.models(), int(rooms.about.started))
    return json_answer(answer, 200, version_headers(request.headers))


async def get_model(request: Request, rooms: Rooms) -> Response:
    """One model; it is not loaded for it."""
    name = name_of(request)
    answer = sie_detail(rooms.fleet.model(name), name, int(rooms.about.started))
    return json_answer(answer, 200, version_headers(request.headers))


def _added(parts: Sequence[ScoreResult], weights: Sequence[float]) -> ScoreResult:
    """Scores added up, each with its weight; the rest is that of the first."""
    if len(parts) == 1:
        return parts[0]
    with np.errstate(over="ignore", invalid="ignore"):
        scores = sum(np.float32(w) * part.scores for w, part in zip(weights, parts, strict=True))
    if not np.isfinite(scores).all():
        raise InvalidInput(
            "options.score_weights: the scores times these are beyond float32",
            param="options.score_weights",
        )
    return replace(parts[0], scores=np.asarray(scores, np.float32))


def _all_there(errors: dict[int, ErrorInfo]) -> None:
    """Refuse an answer that lacks an item: the SDK has no place for one.

    Raises:
        StelaeError: The first failed item's error.
    """
    if errors:
        index = min(errors)
        place = f"items[{index}]"
        info = errors[index]
        raise from_info(replace(info, message=f"{place}: {info.message}", param=place))


def _ranked(
    result: ScoreResult, asked: Asked[ScoreCall], name: str, query: str | None, form: str
) -> list[Buffer]:
    answer = {
        "model": name,
        "query_id": query,
        "scores": ranking(result.scores, asked.ids),
        "usage": {"input_tokens": result.usage.tokens},
    }
    return written(answer, form)


def _found(result: ExtractResult, asked: Asked[ExtractCall], name: str, form: str) -> list[Buffer]:
    return written({"model": name, "items": extract_items(result, asked)}, form)


def _answer(
    request: Request,
    result: EncodeResult | ScoreResult | ExtractResult,
    body: list[Buffer],
    asked: Asked[Any],
    pairs: int | None = None,
) -> Response:
    record = record_of(request)
    headers = result_headers(result, record) | version_headers(request.headers)
    headers |= timing_headers(result.timing)
    headers["X-SIE-Request-ID"] = record.id
    headers["X-SIE-Units-Input-Tokens"] = str(result.usage.tokens)
    if pairs is not None:
        headers["X-SIE-Units-Pairs"] = str(pairs)
    if images := _images(asked):
        headers["X-SIE-Units-Images"] = str(images)
    if asked.ignored:
        headers["X-Stelae-Ignored"] = ", ".join(map(ascii, asked.ignored))[:1024]
    return PiecesResponse(body, headers, wanted(request))


def _images(asked: Asked[Any]) -> int:
    items: Sequence[Any] = getattr(asked.call, "items", ())
    return sum([item.image is not None for item in items])


_BOTH = (MSGPACK, JSON)
_REFUSALS = (
    InvalidInput, InputTooLong, UnsupportedTask, ModelNotFound, QueueFull, ModelNotReady,
    ModelLoadFailed, DeadlineExceeded,
)  # fmt: skip

OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/encode/{model:path}",
        handle=encode_items,
        summary="Encode items.",
        request=EncodeRequest,
        example={"items": [{"text": "Hello, world"}]},
        errors=_REFUSALS,
        media=_BOTH,
    ),
    Operation(
        method="POST",
        path="/v1/score/{model:path}",
        handle=score_items,
        summary="Rank items by a query.",
        request=ScoreRequest,
        example={"query": {"text": "How tall is it?"}, "items": [{"text": "It has 300 metres."}]},
        errors=_REFUSALS,
        media=_BOTH,
    ),
    Operation(
        method="POST",
        path="/v1/extract/{model:path}",
        handle=extract_from,
        summary="Find what items hold.",
        request=ExtractRequest,
        example={"items": [{"text": "Ada was born in London."}], "params": {"labels": ["person"]}},
        errors=_REFUSALS,
        media=_BOTH,
    ),
    Operation(
        method="GET",
        path="/v1/models",
        handle=list_models,
        summary="List the models.",
        response=SieModels,
    ),
    Operation(
        method="GET",
        path="/v1/models/{model:path}",
        handle=get_model,
        summary="Describe one model.",
        response=SieModelDetail,
        errors=(ModelNotFound,),
    ),
)
