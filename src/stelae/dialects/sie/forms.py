"""The two forms of SIE's bodies: msgpack and JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from starlette.requests import Request

from stelae.dialects.base import header_of
from stelae.dialects.pieces import gathered
from stelae.dialects.sie.arrays import map_of, pack, pack_list
from stelae.wire.arrays import Buffer
from stelae.wire.slices import json_slices

MSGPACK, JSON = "application/msgpack", "application/json"


def sent(request: Request) -> str:
    """The form of the body: msgpack if the header says so, else JSON."""
    return MSGPACK if "msgpack" in (header_of(request, b"content-type") or "").lower() else JSON


def wanted(request: Request) -> str:
    """The form of the answer: JSON if the caller names it and not msgpack."""
    accept = (header_of(request, b"accept") or "").lower()
    return JSON if JSON in accept and "msgpack" not in accept else MSGPACK


def written(answer: Mapping[str, Any], form: str) -> list[Buffer]:
    """An answer of plain values in a form, made in slices."""
    return list(json_slices(answer)) if form == JSON else gathered(_packed(answer))


def _packed(answer: Mapping[str, Any]) -> Iterator[bytes]:
    yield map_of(len(answer))
    for name, value in answer.items():
        yield pack(name)
        if isinstance(value, list):
            yield from pack_list(value)
        else:
            yield pack(value)
