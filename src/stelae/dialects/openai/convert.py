"""Between OpenAI's messages and the calls and results of the house."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import as_read, error_fields, error_headers, json_answer
from stelae.dialects.base import record_of
from stelae.dialects.listing import ListedModel, listing
from stelae.dialects.openai import spelled
from stelae.dialects.openai.schema import EmbeddingRequest, ModelList
from stelae.errors import EngineFailed, ErrorInfo, InvalidInput, StelaeError, from_info
from stelae.types import (
    EmbeddingDtype,
    EncodeCall,
    EncodeResult,
    Item,
    Matrix,
    ModelInfo,
    OutputType,
)
from stelae.wire.arrays import Buffer, plain_json
from stelae.wire.slices import json_slices

CODES = {
    "queue_full": "server_overloaded",
    "no_capacity": "server_overloaded",
    "provisioning": "server_overloaded",
    "model_not_ready": "model_loading",
    "input_too_long": "context_length_exceeded",
    "out_of_memory": "insufficient_memory",
    "unauthorized": "invalid_api_key",
}
"""Names that clients of this protocol know, by ours; others keep their own."""

TYPES = {
    "unauthorized": "authentication_error",
    "forbidden": "permission_error",
}

NEVER_AGAIN = frozenset(
    {
        "model_load_failed",
        "unsupported_checkpoint",
        "missing_dependency",
        "deadline_exceeded",
        "conflict",
    }
)
"""Server errors that this protocol's clients would retry, in vain."""


SENT = {
    "items": "input",
    "outputs": "model",
    "max_tokens": "truncate_prompt_tokens",
    "normalize": "normalize_embedding",
}
"""Fields of a call that stand for one of this protocol's under another name."""


NONE: Mapping[int, Item] = {}


def fields_as_sent(
    call: type[msgspec.Struct] = EncodeCall,
    request: type[msgspec.Struct] = EmbeddingRequest,
    names: Mapping[str, str] = SENT,
) -> AsSent:
    """Errors of a call name the field that the caller sent, or none if he sent none for it.

    Args:
        call: Its type.
        request: What the caller sent.
        names: Fields of the call that the request has under other names.
    """
    return AsSent(call, request, names)


class AsSent:
    """Names fields of errors in its ``with`` block as the caller does; see ``fields_as_sent``."""

    __slots__ = ("_call", "_names", "_request")

    def __init__(
        self,
        call: type[msgspec.Struct],
        request: type[msgspec.Struct],
        names: Mapping[str, str],
    ) -> None:
        self._call, self._request, self._names = call, request, names

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Name the field anew, if the error names one that the caller did not send.

        Raises:
            StelaeError: The same error with another name, or none.
        """
        if not isinstance(error, StelaeError):
            return
        param, names = error.param, self._names
        own = param in self._request.__struct_fields__ and param not in names
        if param not in self._call.__struct_fields__ or own:
            return
        info = msgspec.structs.replace(error.info, param=names.get(param))
        raise from_info(info) from error


def sent(request: EmbeddingRequest) -> dict[str, str]:
    """Fields of the call by those of this request that they stand for."""
    outputs = {"outputs": "return_sparse"} if request.return_sparse else {}
    return SENT | outputs | spelled.names(request)


def encode_call(
    request: EmbeddingRequest, told: Mapping[int, Item] = NONE, purpose: Mapping[str, Any] = {}
) -> EncodeCall:
    """The call that a request means.

    Args:
        request: The request.
        told: Items of its input that are told by objects, by their index.
        purpose: Fields that say what the vectors are for; see ``spelled.purpose``.

    Raises:
        InvalidInput: The input is empty or mixes texts with token ids, or a field would not be
            heeded.
    """
    longest = request.truncate_prompt_tokens
    return EncodeCall(
        model=request.model,
        items=_items(request.input, told),
        outputs=(OutputType.SPARSE if request.return_sparse else OutputType.DENSE,),
        dtype=EmbeddingDtype.FLOAT32,
        max_tokens=None if longest is None or longest < 0 else longest,
        **spelled.call_fields(request),
        **purpose,
    )


def _items(given: str | list[Any] | dict[str, Any], told: Mapping[int, Item]) -> list[Item]:
    if isinstance(given, str):
        return [Item(text=given)]
    if isinstance(given, dict):
        return [told[0]]
    if not given:
        raise InvalidInput("input: the list is empty; at least one text is needed", param="input")
    kinds = [type(value) for value in given]
    kind = str if dict in kinds else kinds[0]
    for index, each in enumerate(kinds):
        if each is not kind and index not in told:
            raise InvalidInput(
                f"input[{index}]: texts, token ids and lists of token ids cannot be mixed",
                param=f"input[{index}]",
            )
    if kind is str:
        return [told.get(index) or Item(text=text) for index, text in enumerate(given)]
    if kind is int:
        return [Item(token_ids=given)]
    return [_token_item(index, ids) for index, ids in enumerate(given)]


def _token_item(index: int, ids: list[int]) -> Item:
    if not ids:
        raise InvalidInput(
            f"input[{index}]: the list of token ids is empty", param=f"input[{index}]"
        )
    return Item(token_ids=ids)


FEW = 16
"""Items of which an answer is written in one go."""


def embedding_body(result: EncodeResult, request: EmbeddingRequest) -> bytes:
    """The answer's JSON.

    Raises:
        StelaeError: An item failed; this protocol has no place for partial answers.
    """
    return b"".join(embedding_pieces(result, request))


def embedding_pieces(result: EncodeResult, request: EmbeddingRequest) -> list[Buffer]:
    """The same in pieces; numbers are written straight from the array.

    Raises:
        StelaeError: An item failed.
    """
    if result.errors:
        raise _first_failure(result.errors, lone=not _is_list(request.input))
    tokens, data = result.usage.tokens, _data(result, request)
    few = len(result.tokens) <= FEW
    body = {
        "object": "list",
        "data": list(data) if few else data,
        "model": request.model,
        "model_replica": f"{request.model}-rep{result.replica}",
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
    return [plain_json(body)] if few else list(json_slices(body))


def _is_list(given: str | list[Any] | dict[str, Any]) -> bool:
    return isinstance(given, list) and not (given and isinstance(given[0], int))


def _data(result: EncodeResult, request: EmbeddingRequest) -> Iterator[dict[str, Any]]:
    """What is told of each item, made when it is written."""
    kind = "sparse_embedding" if request.return_sparse else "embedding"
    rows = _weights(result) if request.return_sparse else spelled.written(_vectors(result), request)
    for index, (row, cut) in enumerate(zip(rows, result.truncated.tolist(), strict=True)):
        said = {"object": kind, "index": index, "embedding": row}
        yield said | {"truncated": True} if cut else said


def _vectors(result: EncodeResult) -> Matrix:
    if result.dense is None:
        raise EngineFailed(f"model '{result.model}' returned no vectors")
    return np.asarray(result.dense, dtype="<f4")


def _weights(result: EncodeResult) -> Iterator[dict[str, float]]:
    """Weights of terms by the ids of their tokens, as texts: JSON has no other names."""
    if result.sparse is None:
        raise EngineFailed(f"model '{result.model}' returned no weights of terms")
    for terms in result.sparse:
        ids = map(str, terms.indices.tolist())
        yield dict(zip(ids, terms.values.tolist(), strict=True))


def _first_failure(errors: dict[int, ErrorInfo], *, lone: bool) -> StelaeError:
    index = min(errors)
    param = "input" if lone else f"input[{index}]"
    info = errors[index]
    message = f"{param}: {info.message}"
    return from_info(msgspec.structs.replace(info, message=message, param=param))


def model(info: ModelInfo, created: float) -> ListedModel:
    """A model as this protocol lists it."""
    return ListedModel(**listing(info, created))


def model_list(infos: list[ModelInfo], created: float) -> ModelList:
    """All models as this protocol lists them."""
    return ModelList(object="list", data=[model(info, created) for info in infos])


def render_error(error: StelaeError, request: Request) -> Response:
    """An error in the shape that OpenAI's clients map to their classes."""
    fields = error_object(error, request)
    headers = error_headers(error)
    if "Retry-After" in headers:
        headers["X-Should-Retry"] = "true"
    elif error.code in NEVER_AGAIN:
        headers["X-Should-Retry"] = "false"
    body = as_read({"error": fields, "detail": str(error)}, request)
    return json_answer(body, error.status, headers)


def error_object(error: StelaeError, request: Request) -> dict[str, Any]:
    """An error as this protocol tells it, in a body or in the middle of a stream."""
    fields = error_fields(error, record_of(request))
    fields["code"] = CODES.get(error.code, error.code)
    fields["type"] = TYPES.get(error.code, fields["type"])
    fields["message"] = str(error)
    return fields
