"""Texts to tokens and back, as text-embeddings-inference tells them."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from stelae.catalog.spec import ModelSpec
from stelae.dialects.answers import json_answer
from stelae.dialects.base import Rooms, record_of
from stelae.dialects.rerank.tei import asked_of, name_of
from stelae.dialects.rerank.tei_info import serves
from stelae.dialects.rerank.tei_schema import (
    TeiDecodeRequest,
    TeiToken,
    TeiTokenizeRequest,
    TokenId,
)
from stelae.errors import InvalidInput
from stelae.service.tokens import Token

_TOKENIZE = msgspec.json.Decoder(TeiTokenizeRequest)
_DECODE = msgspec.json.Decoder(TeiDecodeRequest)

_Ids = list[TokenId | list[TokenId]]


async def tokenize(request: Request, rooms: Rooms) -> Response:
    """The tokens of each text."""
    asked = await asked_of(request, _TOKENIZE)
    spec = await _spec(request, rooms, asked.model)
    prompt = _prompt(spec, asked.prompt_name)
    given = [asked.inputs] if isinstance(asked.inputs, str) else asked.inputs
    specials = asked.add_special_tokens is not False
    rows = await rooms.tokens.read(spec, [prompt + text for text in given], specials=specials)
    return json_answer([[_told(token) for token in row] for row in rows])


async def detokenize(request: Request, rooms: Rooms) -> Response:
    """The texts of ids."""
    asked = await asked_of(request, _DECODE)
    spec = await _spec(request, rooms, asked.model)
    whole = asked.skip_special_tokens is False
    return json_answer(await rooms.tokens.texts(spec, _rows(asked.ids), specials=whole))


async def _spec(request: Request, rooms: Rooms, named: str | None) -> ModelSpec:
    spec = await rooms.fleet.spec(name_of(request, rooms, named, serves))
    record_of(request).model = spec.name
    return spec


def _prompt(spec: ModelSpec, name: str | None) -> str:
    if name is None:
        return ""
    if name not in spec.prompts:
        raise InvalidInput(
            f"prompt_name={name[:64]!r}: model {spec.name!r} has no such prompt; it has "
            f"{', '.join(spec.prompts) or 'none'}",
            param="prompt_name",
        )
    return spec.prompts[name]


def _told(token: Token) -> TeiToken:
    start, stop = (None, None) if token.special else (token.start, token.stop)
    return TeiToken(id=token.id, text=token.text, special=token.special, start=start, stop=stop)


def _rows(ids: _Ids) -> list[list[int]]:
    """Lists of ids.

    Raises:
        InvalidInput: Ids stand beside lists of ids.
    """
    single: list[Any] = [one for one in ids if isinstance(one, int)]
    lists: list[list[int]] = [one for one in ids if isinstance(one, list)]
    if single and lists:
        raise InvalidInput("ids: ids and lists of ids cannot be mixed", param="ids")
    return lists or [single]
