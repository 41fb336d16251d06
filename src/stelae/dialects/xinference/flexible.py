"""``infer`` of flexible models: what they find in items, how well things fit, or vectors."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.ask import encode, extract, offload, score
from stelae.dialects.base import REFUSALS, Operation, Rooms
from stelae.dialects.decode import decode, fit, read
from stelae.dialects.pieces import PiecesResponse
from stelae.dialects.xinference.flexible_read import (
    Asked,
    InferRequest,
    items_of,
    read_asked,
    reads,
    stated,
)
from stelae.errors import EngineFailed, ErrorInfo, UnsupportedTask, from_info
from stelae.types import EncodeCall, ExtractCall, Extraction, Item, OutputType, ScoreCall, Task
from stelae.wire.arrays import Buffer
from stelae.wire.slices import is_large, json_slices

OPTIONS = tuple(
    name
    for name in ExtractCall.__struct_fields__
    if name not in ("model", "items", "labels", "gpu")
)
"""Fields of a call to extract that a request may have."""

Verb = Callable[[Request, Rooms, Asked], Awaitable[Any]]

_FIELDS = msgspec.json.Decoder(dict[str, Any])


async def infer(request: Request, rooms: Rooms) -> Response:
    """Whatever a model does with items."""
    body = await read(request)
    fields = await offload(len(body), decode, _FIELDS, body)
    asked = stated(fields)
    spec = await rooms.fleet.spec(asked.model)
    call = await read_asked(spec, asked, fields, rooms.fetcher)
    answer = await verb(call)(request, rooms, call)
    large = is_large(answer)
    pieces = await asyncio.to_thread(_pieces, answer) if large else _pieces(answer)
    return PiecesResponse(pieces, {}, "application/json")


def _pieces(answer: Any) -> list[Buffer]:
    return list(json_slices(answer))


def verb(asked: Asked) -> Verb:
    """What a model does: find things, or compare where there is something to compare with.

    Raises:
        UnsupportedTask: It does nothing that has a place here.
    """
    tasks = asked.spec.answers
    if Task.EXTRACT in tasks and Task.ENCODE not in tasks:
        return found
    if Task.SCORE in tasks and (asked.others or Task.ENCODE not in tasks):
        return classes if asked.labelled else scores
    if Task.ENCODE in tasks:
        return vectors
    raise UnsupportedTask(
        f"model {asked.spec.name!r} can {', '.join(tasks)}; infer is for models that find things, "
        "compare or embed",
        param="model",
    )


async def found(request: Request, rooms: Rooms, asked: Asked) -> Any:
    """What is in each item."""
    stated = {name: asked.options[name] for name in OPTIONS if asked.options.get(name) is not None}
    call = fit(ExtractCall, {"model": asked.spec.name, "items": [], **stated})
    call = msgspec.structs.replace(call, items=asked.items, labels=asked.labels)
    result = await extract(request, rooms, call)
    _check(result.errors)
    return asked.told([whole(each) for each in result.items])


def whole(each: Extraction) -> dict[str, Any]:
    """What was found in an item, with a field for each kind of things."""
    return {name: getattr(each, name) for name in each.__struct_fields__}


async def scores(request: Request, rooms: Rooms, asked: Asked) -> Any:
    """How well each of the others fits, for each item."""
    documents = await items_of(asked.others, reads(asked.spec), rooms.fetcher, "documents")
    return asked.told(await _compared(request, rooms, asked, documents))


async def classes(request: Request, rooms: Rooms, asked: Asked) -> Any:
    """The labels by how well they fit, for each item."""
    labels = asked.labels
    documents = [Item(text=label) for label in labels]
    rows = await _compared(request, rooms, asked, documents)
    return asked.told([ranked(labels, row) for row in rows])


def ranked(labels: Sequence[str], row: Sequence[float]) -> list[dict[str, Any]]:
    """Labels with their scores, the best first."""
    best = sorted(zip(row, labels, strict=True), key=lambda pair: -pair[0])
    return [{"label": label, "score": score} for score, label in best]


async def _compared(
    request: Request, rooms: Rooms, asked: Asked, documents: list[Item]
) -> list[list[float]]:
    """A row of scores for each item."""
    rows = []
    for item in asked.items:
        call = ScoreCall(model=asked.spec.name, query=item, documents=documents)
        result = await score(request, rooms, call)
        _check(result.errors)
        rows.append(result.scores.tolist())
    return rows


async def vectors(request: Request, rooms: Rooms, asked: Asked) -> Any:
    """The vector of each item."""
    call = EncodeCall(model=asked.spec.name, items=asked.items, outputs=(OutputType.DENSE,))
    result = await encode(request, rooms, call)
    _check(result.errors)
    if result.dense is None:
        raise EngineFailed(f"model '{result.model}' returned no vectors")
    return asked.told(list(result.dense))


def _check(errors: dict[int, ErrorInfo]) -> None:
    """Refuse an answer of which a part is missing.

    Raises:
        StelaeError: The first failure.
    """
    if errors:
        index = min(errors)
        info = errors[index]
        raise from_info(msgspec.structs.replace(info, message=f"item {index}: {info.message}"))


FLEXIBLE_OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/flexible/infers",
        handle=infer,
        summary="What a model finds in items, how well things fit, or vectors.",
        request=InferRequest,
        example={"model": "all-MiniLM-L6-v2", "args": [["Hello, world"]]},
        errors=REFUSALS,
    ),
)
