"""Reranking: one handler, whichever protocol a client speaks."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import json_answer, result_headers, tell_plainly
from stelae.dialects.ask import offload, score
from stelae.dialects.base import REFUSALS, Operation, Rooms, record_of
from stelae.dialects.decode import decode, read
from stelae.dialects.rerank import spellings
from stelae.dialects.rerank.embedded import as_sent
from stelae.dialects.rerank.names import model_for, ranks
from stelae.dialects.rerank.ranking import pieces_of, ranking, score_call
from stelae.dialects.rerank.schema import (
    RerankRequest,
    RerankResponse,
    TeiRanked,
)
from stelae.dialects.rerank.spellings import Spelling
from stelae.errors import StelaeError

_REQUEST = msgspec.json.Decoder(RerankRequest)

_DOCUMENTS = ["The tower is 330 metres tall.", "The Seine flows through Paris."]
_EXAMPLE = {"model": "bge-reranker-v2-m3", "query": "How tall is it?", "documents": _DOCUMENTS}


async def rerank(request: Request, rooms: Rooms) -> Response:
    """Documents by how well they fit a query, as the caller's protocol tells it."""
    return await ranked(request, rooms, spellings.first(request.headers))


async def rerank_texts(request: Request, rooms: Rooms) -> Response:
    """The same where TEI's clients ask, whose requests have ``texts``."""
    return await ranked(request, rooms, spellings.first(request.headers), missing="texts")


async def rerank_second(request: Request, rooms: Rooms) -> Response:
    """The same in the second version of Cohere's protocol."""
    return await ranked(request, rooms, spellings.second)


async def ranked(
    request: Request,
    rooms: Rooms,
    otherwise: Spelling,
    model: str | None = None,
    *,
    missing: Literal["documents", "texts"] = "documents",
) -> Response:
    """Answer a request.

    Args:
        request: Holds it.
        rooms: Answer it.
        otherwise: Protocol of requests that do not tell theirs by their fields.
        model: Name of the model, where the path says it.
        missing: What is missed where there is nothing to rank.

    Raises:
        StelaeError: It cannot be answered, or a document failed.
    """
    body = await read(request)
    asked = await offload(len(body), decode, _REQUEST, body)
    if missing == "texts" and asked.documents is None:
        asked = replace(asked, texts=asked.texts or [])
    telling = spellings.spelling(asked, otherwise)
    if telling is spellings.voyage:
        tell_plainly(request)
    named = model_for(rooms.fleet, model or asked.model, ranks)
    call = await score_call(asked, named, rooms.fetcher)
    try:
        result = await score(request, rooms, call)
    except StelaeError as error:
        raise as_sent(error, {"documents": pieces_of(asked)[0]}) from error
    made = ranking(asked, named, result, rooms.fleet.model(result.model))
    return json_answer(telling(made), headers=result_headers(result, record_of(request)))


RERANK_OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/rerank",
        handle=rerank,
        summary="Rank documents, as Cohere's, Jina's, Voyage's and Xinference's clients ask.",
        request=RerankRequest,
        example=_EXAMPLE,
        response=RerankResponse,
        errors=REFUSALS,
    ),
    Operation(
        method="POST",
        path="/v2/rerank",
        handle=rerank_second,
        summary="Rank documents, as the second version of Cohere's client asks.",
        request=RerankRequest,
        example=_EXAMPLE,
        response=RerankResponse,
        errors=REFUSALS,
    ),
    Operation(
        method="POST",
        path="/rerank",
        handle=rerank_texts,
        summary="Rank texts, as TEI's clients ask; documents as on /v1/rerank.",
        request=RerankRequest,
        example={"query": "How tall is it?", "texts": _DOCUMENTS},
        response=list[TeiRanked] | RerankResponse,
        errors=REFUSALS,
    ),
)
