"""Tokens by their ids, as the handle of embedding models asks for them."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import json_answer
from stelae.dialects.ask import offload
from stelae.dialects.base import Operation, Rooms, record_of
from stelae.dialects.decode import decode, read
from stelae.errors import InvalidInput, ModelNotFound, UnsupportedTask

LONGEST_NUMBER = 10
"""Digits of an id."""


class TokensRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What ``POST /v1/convert_ids_to_tokens`` takes.

    Attributes:
        model: Whose tokens.
        input: Ids, or several lists of them; each a number or its digits, as ``return_sparse``
            names weights.
    """

    model: str
    input: list[int | str | list[int | str]]


_REQUEST = msgspec.json.Decoder(TokensRequest)


async def convert_ids_to_tokens(request: Request, rooms: Rooms) -> Response:
    """The tokens of some ids, in lists as the ids are."""
    body = await read(request)
    asked = await offload(len(body), decode, _REQUEST, body)
    rows = _rows(asked.input)
    spec = await rooms.fleet.spec(asked.model)
    record_of(request).model = spec.name
    words = await rooms.tokens.words(spec, rows)
    return json_answer(words if _nested(asked.input) else words[0])


def _nested(given: list[Any]) -> bool:
    return any(isinstance(each, list) for each in given)


def _rows(given: list[Any]) -> list[list[int]]:
    """The ids, list by list.

    Raises:
        InvalidInput: Lists and ids are mixed, or one of them is no id.
    """
    if not _nested(given):
        return [[_id(each, f"input[{i}]") for i, each in enumerate(given)]]
    return [
        [_id(each, f"input[{n}][{i}]") for i, each in enumerate(_list(row, f"input[{n}]"))]
        for n, row in enumerate(given)
    ]


def _list(row: Any, place: str) -> list[Any]:
    if not isinstance(row, list):
        raise InvalidInput(f"{place}: ids and lists of ids cannot be mixed", param=place)
    return row


def _id(given: int | str, place: str) -> int:
    text = str(given)
    if not (text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER):
        raise InvalidInput(f"{place}: {text[:32]!r} is no token's number", param=place)
    return int(text)


TOKEN_OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/convert_ids_to_tokens",
        handle=convert_ids_to_tokens,
        summary="The tokens of some ids, as the model's vocabulary spells them.",
        request=TokensRequest,
        response=list[str | list[str]],
        example={"model": "all-MiniLM-L6-v2", "input": [[101, 7592, 102]]},
        errors=(InvalidInput, UnsupportedTask, ModelNotFound),
    ),
)
