"""How each protocol tells a ranking, and which one a request is written in."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import msgspec
from starlette.datastructures import Headers

from stelae.dialects.rerank.pieces import TEXT, text_of
from stelae.dialects.rerank.ranking import Ranking
from stelae.dialects.rerank.schema import (
    Piece,
    Ranked,
    RerankMeta,
    RerankRequest,
    RerankResponse,
    RerankTokens,
    RerankUnits,
    RerankUsage,
    RerankVersion,
    TeiRanked,
    VoyageRanked,
    VoyageRerankResponse,
)

Spelling = Callable[[Ranking], Any]

SEARCH = 100
"""Documents that Cohere counts as one search."""


def spelling(asked: RerankRequest, otherwise: Spelling) -> Spelling:
    """The protocol that a request is written in, by the fields that it has.

    Args:
        asked: The request.
        otherwise: That of the path, for requests with fields that several protocols have.
    """
    if asked.texts is not None:
        return tei
    if asked.top_k is not msgspec.UNSET or asked.truncation is not msgspec.UNSET:
        return voyage
    return otherwise


def first(headers: Headers) -> Spelling:
    """That of ``/v1/rerank``: Cohere's own client gets no documents that it does not ask for."""
    return cohere if headers.get("x-fern-sdk-name") == "cohere" else common


def common(made: Ranking) -> RerankResponse:
    """As Xinference's and Jina's clients read it; documents are told as they were sent."""
    if made.asked.return_documents is False:
        return _response(made, [None] * len(made.order), "1")
    given = made.documents
    told = _wanted(made) if made.asked.return_documents else [given[i] for i in made.order]
    return _response(made, told, "1")


def cohere(made: Ranking) -> RerankResponse:
    """As the first version of Cohere's client reads it: documents if they are wanted."""
    return _response(made, _wanted(made), "1")


def second(made: Ranking) -> RerankResponse:
    """As the second version does, whose requests want none."""
    return _response(made, _wanted(made), "2")


def voyage(made: Ranking) -> VoyageRerankResponse:
    """As Voyage's client reads it: documents are plain strings."""
    given, wanted = made.documents, made.asked.return_documents
    return VoyageRerankResponse(
        object="list",
        data=[
            VoyageRanked(
                index=i,
                relevance_score=score,
                document=_text(given[i], made.asked) if wanted else msgspec.UNSET,
            )
            for i, score in zip(made.order, made.scores, strict=True)
        ],
        model=made.model,
        usage=_usage(made),
    )


def tei(made: Ranking) -> list[TeiRanked]:
    """As TEI's clients read it: a bare list."""
    given, wanted = made.documents, made.asked.return_text
    return [
        TeiRanked(
            index=i,
            score=score,
            text=_text(given[i], made.asked) if wanted else msgspec.UNSET,
        )
        for i, score in zip(made.order, made.scores, strict=True)
    ]


def _wanted(made: Ranking) -> list[Any]:
    """Documents as objects if they are wanted, else none."""
    if not made.asked.return_documents:
        return [msgspec.UNSET] * len(made.order)
    given = made.documents
    return [_object(given[i]) for i in made.order]


def _response(made: Ranking, told: list[Any], version: str) -> RerankResponse:
    results = [
        Ranked(index=i, relevance_score=score, document=document)
        for i, score, document in zip(made.order, made.scores, told, strict=True)
    ]
    return RerankResponse(
        id=str(uuid.uuid4()),
        model=made.model,
        results=results,
        usage=_usage(made),
        meta=RerankMeta(
            api_version=RerankVersion(version=version),
            billed_units=RerankUnits(search_units=-(-len(made.documents) // SEARCH)),
            tokens=RerankTokens(input_tokens=made.tokens),
            warnings=made.warnings or None,
        ),
    )


def _usage(made: Ranking) -> RerankUsage:
    return RerankUsage(total_tokens=made.tokens, prompt_tokens=made.tokens)


def _object(document: Piece) -> dict[str, Any]:
    """A document as an object; one that was sent as an object stays what it is."""
    return {"text": document} if isinstance(document, str) else {**document}


def _text(document: Piece, asked: RerankRequest) -> str:
    if isinstance(document, str):
        return document
    return text_of(document, asked.rank_fields or TEXT) or ""
