"""Vectors as text-embeddings-inference tells them: bare lists, by models that nobody names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.ask import encode, offload
from stelae.dialects.base import Rooms
from stelae.dialects.decode import Decoder, T, decode, read
from stelae.dialects.rerank.embedded import as_sent, refuse_failed, rows_of, told
from stelae.dialects.rerank.names import Can, makes, model_for
from stelae.dialects.rerank.tei_schema import (
    TeiComparison,
    TeiCutting,
    TeiEmbedRequest,
    TeiInput,
    TeiSide,
    TeiSimilarityRequest,
)
from stelae.errors import EngineFailed, InvalidInput, StelaeError
from stelae.types import (
    EmbeddingDtype,
    EncodeCall,
    EncodeResult,
    Item,
    OutputType,
    Truncate,
)

_EMBED = msgspec.json.Decoder(TeiEmbedRequest)
_SIMILARITY = msgspec.json.Decoder(TeiSimilarityRequest)

SENT = {"items": "inputs", "outputs": "model"}
"""Fields of the call under the names that they have in a request."""


async def asked_of(request: Request, decoder: Decoder[T]) -> T:
    """The body of a request.

    Raises:
        InvalidInput: It is not what was expected.
    """
    body = await read(request)
    return await offload(len(body), decode, decoder, body)


def name_of(request: Request, rooms: Rooms, named: str | None, can: Can) -> str:
    """The model that a request's path or body names, or the only one that can answer.

    Raises:
        InvalidInput: It is not plain which one is meant.
    """
    return model_for(rooms.fleet, request.path_params.get("model") or named, can)


async def embed(request: Request, rooms: Rooms) -> Response:
    """One vector for each text."""
    asked = await asked_of(request, _EMBED)
    result = await _encoded(
        request,
        rooms,
        asked,
        OutputType.DENSE,
        normalize=asked.normalize is not False,
        dimensions=asked.dimensions,
    )
    return await told(rows_of, result, request)


async def embed_all(request: Request, rooms: Rooms) -> Response:
    """One vector for each token of each text."""
    asked = await asked_of(request, _EMBED)
    result = await _encoded(request, rooms, asked, OutputType.MULTIVECTOR)
    return await told(_tokens, result, request)


async def embed_sparse(request: Request, rooms: Rooms) -> Response:
    """Weights of terms for each text."""
    asked = await asked_of(request, _EMBED)
    result = await _encoded(request, rooms, asked, OutputType.SPARSE)
    return await told(_terms, result, request)


async def similarity(request: Request, rooms: Rooms) -> Response:
    """How near texts are to another, -1 to 1."""
    asked = await asked_of(request, _SIMILARITY)
    model = name_of(request, rooms, asked.model, makes(OutputType.DENSE))
    compared = asked.inputs
    if not compared.sentences:
        raise InvalidInput(
            "inputs.sentences: at least one was expected, none was given", param="inputs.sentences"
        )
    texts = [compared.source_sentence, *compared.sentences]
    call = _call(
        model, [Item(text=text) for text in texts], asked.parameters or TeiCutting(), normalize=True
    )
    result = await _run(request, rooms, call)
    refuse_failed(result, lambda index: _compared(compared, index))
    return await told(_near, result, request)


def _compared(compared: TeiComparison, index: int) -> str:
    return f"inputs.sentences[{index - 1}]" if index else "inputs.source_sentence"


async def _encoded(
    request: Request, rooms: Rooms, asked: TeiEmbedRequest, output: OutputType, **how: Any
) -> EncodeResult:
    model = name_of(request, rooms, asked.model, makes(output))
    call = replace(_call(model, items_of(asked.inputs), asked, **how), outputs=(output,))
    result = await _run(request, rooms, call)
    several = _is_list(asked.inputs)
    refuse_failed(result, lambda index: f"inputs[{index}]" if several else "inputs")
    return result


async def _run(request: Request, rooms: Rooms, call: EncodeCall) -> EncodeResult:
    try:
        return await encode(request, rooms, call)
    except StelaeError as error:
        raise as_sent(error, SENT) from error


def _call(model: str, items: list[Item], cutting: TeiCutting, **how: Any) -> EncodeCall:
    return EncodeCall(
        model=model,
        items=items,
        outputs=(OutputType.DENSE,),
        dtype=EmbeddingDtype.FLOAT32,
        truncate=truncate_of(cutting),
        prompt_name=cutting.prompt_name,
        **how,
    )


def truncate_of(cutting: TeiCutting) -> Truncate:
    """What is done with texts that are too long."""
    if cutting.truncate is False:
        return Truncate.ERROR
    left = cutting.truncation_direction in (TeiSide.LEFT, TeiSide.LOWER_LEFT)
    return Truncate.START if left else Truncate.END


def items_of(inputs: TeiInput) -> list[Item]:
    """Texts and lists of token ids, in order.

    Raises:
        InvalidInput: There is none, or ids stand beside texts.
    """
    if isinstance(inputs, str):
        return [Item(text=inputs)]
    if not inputs:
        raise InvalidInput("inputs: at least one was expected, none was given", param="inputs")
    if not _is_list(inputs):
        inputs = [[token for token in inputs if isinstance(token, int)]]
    return [_item(one, f"inputs[{index}]") for index, one in enumerate(inputs)]


def _is_list(inputs: TeiInput) -> bool:
    """Whether there may be several, not the ids of one text."""
    return isinstance(inputs, list) and not all(isinstance(one, int) for one in inputs)


def _item(one: str | int | list[int], place: str) -> Item:
    if isinstance(one, str):
        return Item(text=one)
    if isinstance(one, list) and one:
        return Item(token_ids=one)
    raise InvalidInput(f"{place}: a text or token ids were expected", param=place)


def _tokens(result: EncodeResult) -> list[Any]:
    if result.multivector is None:
        raise EngineFailed(f"model '{result.model}' returned no vectors of tokens")
    return list(result.multivector)


def _terms(result: EncodeResult) -> Iterator[list[dict[str, Any]]]:
    if result.sparse is None:
        raise EngineFailed(f"model '{result.model}' returned no weights of terms")
    for terms in result.sparse:
        pairs = zip(terms.indices.tolist(), terms.values.tolist(), strict=True)
        yield [{"index": index, "value": value} for index, value in pairs]


def _near(result: EncodeResult) -> Any:
    rows = rows_of(result)
    return np.clip(rows[1:] @ rows[0], -1, 1)
