"""The paths of text-embeddings-inference: bare ones, and below ``/tei/NAME`` for each model."""

from __future__ import annotations

from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.base import REFUSALS, Operation, Rooms
from stelae.dialects.rerank.routes import ranked
from stelae.dialects.rerank.schema import RerankRequest, TeiRanked
from stelae.dialects.rerank.spellings import tei as as_tei
from stelae.dialects.rerank.tei import embed, embed_all, embed_sparse, similarity
from stelae.dialects.rerank.tei_info import classifies, info
from stelae.dialects.rerank.tei_predict import predict
from stelae.dialects.rerank.tei_schema import (
    TeiDecodeRequest,
    TeiEmbedRequest,
    TeiInfo,
    TeiPrediction,
    TeiPredictRequest,
    TeiSimilarityRequest,
    TeiToken,
    TeiTokenizeRequest,
    TeiWeight,
)
from stelae.dialects.rerank.tei_tokens import detokenize, tokenize
from stelae.types import OutputType

_TEXT = {"inputs": "Hello, world"}


async def rerank(request: Request, rooms: Rooms) -> Response:
    """Texts by how well they fit a query, by the model that the path names."""
    return await ranked(request, rooms, as_tei, request.path_params["model"], missing="texts")


async def whatever(request: Request, rooms: Rooms) -> Response:
    """What the model that the path names is made for: ranks, classes, vectors or weights."""
    spec = await rooms.fleet.spec(request.path_params["model"])
    if spec.scoring is not None:
        return await (predict if classifies(spec) else rerank)(request, rooms)
    dense = OutputType.DENSE in spec.outputs
    return await (embed if dense else embed_sparse)(request, rooms)


async def health(request: Request, rooms: Rooms) -> Response:
    """Nothing, if there is such a model.

    Raises:
        ModelNotFound: There is none.
    """
    rooms.fleet.model(request.path_params["model"])
    return Response()


_BARE = (
    Operation(
        method="POST",
        path="/embed",
        handle=embed,
        summary="Embed texts, as TEI's clients ask.",
        request=TeiEmbedRequest,
        example=_TEXT,
        response=list[list[float]],
        errors=REFUSALS,
    ),
    Operation(
        method="POST",
        path="/embed_all",
        handle=embed_all,
        summary="Embed every token of texts, as TEI's clients ask.",
        request=TeiEmbedRequest,
        example={"inputs": "Hello, world", "model": "colbertv2.0"},
        response=list[list[list[float]]],
        errors=REFUSALS,
    ),
    Operation(
        method="POST",
        path="/embed_sparse",
        handle=embed_sparse,
        summary="Weigh the terms of texts, as TEI's clients ask.",
        request=TeiEmbedRequest,
        example={"inputs": "Hello, world", "model": "splade-v3"},
        response=list[list[TeiWeight]],
        errors=REFUSALS,
    ),
    Operation(
        method="POST",
        path="/similarity",
        handle=similarity,
        summary="Compare texts with one, as TEI's clients ask.",
        request=TeiSimilarityRequest,
        example={"inputs": {"source_sentence": "Hello", "sentences": ["Hi", "Goodbye"]}},
        response=list[float],
        errors=REFUSALS,
    ),
    Operation(
        method="POST",
        path="/predict",
        handle=predict,
        summary="Tell the classes of pairs of texts, as TEI's clients ask.",
        request=TeiPredictRequest,
        example={"inputs": ["It rains.", "The street is wet."], "model": "nli-deberta-v3-base"},
        response=list[TeiPrediction | list[TeiPrediction]],
        errors=REFUSALS,
    ),
    Operation(
        method="POST",
        path="/tokenize",
        handle=tokenize,
        summary="Cut texts into tokens, as TEI's clients ask.",
        request=TeiTokenizeRequest,
        example=_TEXT,
        response=list[list[TeiToken]],
        errors=REFUSALS,
    ),
    Operation(
        method="POST",
        path="/decode",
        handle=detokenize,
        summary="Make texts of ids of tokens, as TEI's clients ask.",
        request=TeiDecodeRequest,
        example={"ids": [101, 7592, 102]},
        response=list[str],
        errors=REFUSALS,
    ),
    Operation(
        method="GET",
        path="/info",
        handle=info,
        summary="Describe the model, as TEI's clients ask.",
        response=TeiInfo,
        errors=REFUSALS,
    ),
)

_OWN = (
    Operation(
        method="POST",
        path="/rerank",
        handle=rerank,
        summary="Rank texts, as TEI's clients ask.",
        request=RerankRequest,
        example={"query": "How tall is it?", "texts": ["It is 330 metres tall."]},
        response=list[TeiRanked],
        errors=REFUSALS,
    ),
    Operation(
        method="GET",
        path="/health",
        handle=health,
        summary="Whether there is such a model, as TEI's clients ask.",
        quiet=True,
    ),
)


def _named(operation: Operation) -> Operation:
    """The same below the name of a model."""
    return replace(
        operation,
        path=f"/tei/{{model:path}}{operation.path}",
        summary=f"{operation.summary[:-1]}, of a model that the path names.",
    )


_WHATEVER = Operation(
    method="POST",
    path="/tei/{model:path}",
    handle=whatever,
    summary="What the model that the path names is made for, as the hub's own client asks.",
    errors=REFUSALS,
)

TEI_OPERATIONS = (*_BARE, *(_named(operation) for operation in (*_BARE, *_OWN)), _WHATEVER)
