"""From a request to its call, and from scores to a ranking, whatever the protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from stelae.dialects.rerank.pieces import item_of, items_of
from stelae.dialects.rerank.schema import Piece, RerankRequest
from stelae.errors import InvalidInput, UnsupportedTask, from_info
from stelae.security.fetch import Fetcher
from stelae.types import ModelInfo, ScoreCall, ScoreResult, Task, Truncate

UNHEARD = ("relevant_spans", "return_embeddings")
"""Fields that no answer would heed."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """Documents in order, best first.

    Attributes:
        asked: The request.
        model: Name of the model, as it was asked for.
        order: Places of the documents told.
        scores: Of these, in the same order.
        tokens: Read in all.
        warnings: What of the request was not heeded.
    """

    asked: RerankRequest
    model: str
    order: list[int]
    scores: list[float]
    tokens: int
    warnings: list[str]

    @property
    def documents(self) -> list[Piece]:
        """What was ranked, as it was sent."""
        return pieces_of(self.asked)[1]


def pieces_of(asked: RerankRequest) -> tuple[str, list[Piece]]:
    """What is ranked, and the field that it was sent in.

    Raises:
        InvalidInput: There is nothing.
    """
    name = "documents" if asked.texts is None else "texts"
    given: list[Piece] = [*(getattr(asked, name) or ())]
    if not given:
        raise InvalidInput(f"{name}: at least one was expected, none was given", param=name)
    return name, given


async def score_call(asked: RerankRequest, model: str, fetcher: Fetcher) -> ScoreCall:
    """The call that a request means; its scores are plain logits.

    Raises:
        InvalidInput: A field is wrong, or would not be heeded.
    """
    _check(asked)
    name, given = pieces_of(asked)
    fields = asked.rank_fields or ()
    whole = asked.truncation is False or asked.truncate is False
    return ScoreCall(
        model=model,
        query=await item_of(asked.query, "query", fetcher),
        documents=await items_of(given, name, fetcher, fields),
        instruction=asked.instruction or None,
        normalize=False,
        truncate=Truncate.ERROR if whole else Truncate.END,
    )


def _check(asked: RerankRequest) -> None:
    for name in UNHEARD:
        if getattr(asked, name):
            raise InvalidInput(f"{name} is not supported here; leave it out", param=name)
    for name in ("top_n", "top_k", "max_tokens_per_doc", "max_chunks_per_doc"):
        value = getattr(asked, name)
        if isinstance(value, int) and value < 1:
            raise InvalidInput(f"{name}={value}: 1 or more was expected", param=name)


def ranking(asked: RerankRequest, model: str, result: ScoreResult, info: ModelInfo) -> Ranking:
    """Documents in order; equal ones as they were sent.

    Raises:
        StelaeError: A document failed: these protocols have no place for partial answers.
        UnsupportedTask: The model gives several scores to a document.
    """
    if result.errors:
        raise _failure(asked, result)
    if result.scores.ndim != 1:
        raise UnsupportedTask(
            f"model {model!r} gives {result.scores.shape[1]} scores to a document, so that there "
            "is no best; ask /predict for its classes",
            param="model",
        )
    scores = result.scores if asked.raw_scores else judged(result.scores, info)
    most = asked.top_n if asked.top_n is not None else asked.top_k
    order = np.argsort(-scores, kind="stable")[: most if isinstance(most, int) else None]
    return Ranking(
        asked=asked,
        model=model,
        order=order.tolist(),
        scores=scores[order].tolist(),
        tokens=result.usage.tokens,
        warnings=warnings(asked, info),
    )


def judged(logits: NDArray[Any], info: ModelInfo) -> NDArray[Any]:
    """Scores as these protocols tell them, shape ``(N,)``.

    Logits of a model that reads pairs become numbers from 0 to 1, by the logistic function; how
    near vectors are to each other stays what it is.
    """
    if Task.ENCODE in info.tasks:
        return logits
    plain = logits.astype(np.float64)
    made: NDArray[Any] = np.exp(-np.logaddexp(0, -plain)).astype(np.float32)
    return made


def warnings(asked: RerankRequest, info: ModelInfo) -> list[str]:
    """What of a request is not heeded, as sentences."""
    said = []
    if asked.max_chunks_per_doc is not None:
        said.append("max_chunks_per_doc is not heeded: a document is read as one, up to its end")
    if asked.max_tokens_per_doc is not None and asked.max_tokens_per_doc < info.max_tokens:
        said.append(
            f"max_tokens_per_doc={asked.max_tokens_per_doc} is not heeded: query and document "
            f"are read up to {info.max_tokens} tokens"
        )
    return said


def _failure(asked: RerankRequest, result: ScoreResult) -> Exception:
    index = min(result.errors)
    info, place = result.errors[index], f"{pieces_of(asked)[0]}[{index}]"
    message = f"{place}: {info.message}"
    return from_info(msgspec.structs.replace(info, message=message, param=place))
