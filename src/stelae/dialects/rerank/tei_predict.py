"""Classes of pairs of texts, as text-embeddings-inference tells them."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import json_answer
from stelae.dialects.ask import score
from stelae.dialects.base import Rooms, record_of
from stelae.dialects.rerank.ranking import judged
from stelae.dialects.rerank.tei import asked_of, name_of
from stelae.dialects.rerank.tei_schema import TeiPrediction, TeiPredictRequest
from stelae.errors import InvalidInput, UnsupportedTask, from_info
from stelae.types import Item, ModelInfo, ScoreCall, ScoreResult, Task, Truncate

_REQUEST = msgspec.json.Decoder(TeiPredictRequest)

AT_ONCE = 64
"""First texts whose pairs are under way at once."""

Pair = tuple[str, str]


async def predict(request: Request, rooms: Rooms) -> Response:
    """Every class of each pair, the likeliest first."""
    asked = await asked_of(request, _REQUEST)
    model = name_of(request, rooms, asked.model, _judges)
    pairs = pairs_of(asked.inputs)
    found: list[list[TeiPrediction]] = [[] for _ in pairs]
    for places, result in await _scored(request, rooms, model, pairs, asked):
        info = rooms.fleet.model(result.model)
        for place, row in zip(places, _rows(result, info, asked), strict=True):
            found[place] = row
    return json_answer(found if _several(asked.inputs) else found[0])


def _judges(model: ModelInfo) -> bool:
    """Whether a model reads two texts together."""
    return Task.SCORE in model.tasks and Task.ENCODE not in model.tasks


def _several(inputs: str | list[str | list[str]]) -> bool:
    return isinstance(inputs, list) and not all(isinstance(one, str) for one in inputs)


def pairs_of(inputs: str | list[str | list[str]]) -> list[Pair]:
    """Pairs in order.

    Raises:
        InvalidInput: There is none, or texts stand beside lists.
        UnsupportedTask: A text stands alone.
    """
    if not inputs:
        raise InvalidInput("inputs: a pair of texts was expected, none was given", param="inputs")
    if not isinstance(inputs, list):
        return [_pair([inputs], "inputs")]
    if not _several(inputs):
        return [_pair(inputs, "inputs")]
    return [_pair(one, f"inputs[{index}]") for index, one in enumerate(inputs)]


def _pair(one: Any, place: str) -> Pair:
    match one:
        case [str(first), str(second)]:
            return first, second
        case [str()]:
            raise UnsupportedTask(
                f"{place}: one text was given; the models here read two together", param=place
            )
    raise InvalidInput(f"{place}: a list of one or two texts was expected", param=place)


async def _scored(
    request: Request, rooms: Rooms, model: str, pairs: list[Pair], asked: TeiPredictRequest
) -> list[tuple[list[int], ScoreResult]]:
    """Results by first text, each with the places of its pairs."""
    grouped: dict[str, list[int]] = defaultdict(list)
    for place, (first, _) in enumerate(pairs):
        grouped[first].append(place)
    calls = [
        ScoreCall(
            model=model,
            query=Item(text=first),
            documents=[Item(text=pairs[place][1]) for place in places],
            normalize=False,
            truncate=Truncate.ERROR if asked.truncate is False else Truncate.END,
        )
        for first, places in grouped.items()
    ]
    results = await _all(request, rooms, calls)
    _count(request, results)
    several = _several(asked.inputs)
    for places, result in zip(grouped.values(), results, strict=True):
        _refuse_failed(result, places, several=several)
    return list(zip(grouped.values(), results, strict=True))


async def _all(request: Request, rooms: Rooms, calls: Sequence[ScoreCall]) -> list[ScoreResult]:
    """Results in order, some at a time; when one fails, the others end."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def in_turn(call: ScoreCall) -> ScoreResult:
        async with turns:
            return await score(request, rooms, call)

    tasks = [asyncio.ensure_future(in_turn(call)) for call in calls]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


def _count(request: Request, results: list[ScoreResult]) -> None:
    """Note what all calls used, not the last one alone."""
    record = record_of(request)
    if record.served is not None:
        tokens = sum(result.usage.tokens for result in results)
        items = sum(len(result.scores) for result in results)
        record.served = replace(record.served, tokens=tokens, items=items)


def _refuse_failed(result: ScoreResult, places: list[int], *, several: bool) -> None:
    if result.errors:
        index = min(result.errors)
        info = result.errors[index]
        where = f"inputs[{places[index]}]" if several else "inputs"
        raise from_info(replace(info, message=f"{where}: {info.message}", param=where))


def _rows(
    result: ScoreResult, info: ModelInfo, asked: TeiPredictRequest
) -> list[list[TeiPrediction]]:
    """The classes of each pair: likelihoods of several add up to 1, one is by itself."""
    logits = result.scores
    labels = result.labels or ("LABEL_0",)
    if not asked.raw_scores:
        logits = judged(logits, info) if logits.ndim == 1 else softmax(logits)
    return [_classes(row, labels) for row in logits.reshape(len(logits), -1).tolist()]


def _classes(row: list[float], labels: tuple[str, ...]) -> list[TeiPrediction]:
    found = [TeiPrediction(score=s, label=label) for s, label in zip(row, labels, strict=True)]
    return sorted(found, key=lambda one: one.score, reverse=True)


def softmax(logits: NDArray[Any]) -> NDArray[Any]:
    """Likelihoods that add up to 1 in each row, shape ``(N, L)``."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    made: NDArray[Any] = powers / powers.sum(axis=1, keepdims=True)
    return made
