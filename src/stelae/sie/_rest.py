"""SIE's own paths: what their answers mean, and how what is asked there is written."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import quote

import msgspec

from stelae.errors import InvalidInput, ProtocolError
from stelae.sie.errors import RequestError, ServerError, SIEError
from stelae.sie.types import ModelInfo

VERSION = "0.10.1"
"""The version of SIE's protocol that is spoken: errors come in its shape."""

HEADERS = {"accept": "*/*", "x-sie-sdk-version": VERSION}

REFUSED = 400
"""Statuses from here on are errors."""

_SHOWN = 200

MODEL_KEYS = frozenset(ModelInfo.__annotations__)


def model_of(told: dict[str, Any]) -> ModelInfo:
    """A model as the SDK tells of it, without what OpenAI's protocol says beside."""
    return cast("ModelInfo", {k: v for k, v in told.items() if k in MODEL_KEYS})


def path_of(kind: str, name: str, verb: str = "") -> str:
    """Where one thing of a kind is found.

    Raises:
        InvalidInput: No name was given.
    """
    if not isinstance(name, str) or not name.strip("/. "):
        raise InvalidInput(f"{name!r}: give the id of one of the {kind}", param="id")
    return f"/v1/{kind}/{quote(name, safe='')}{'/' + verb if verb else ''}"


def query_of(given: dict[str, Any]) -> dict[str, str]:
    """What is asked for in a query: all that was given."""
    return {name: str(value) for name, value in given.items() if value is not None}


def written(body: dict[str, Any]) -> bytes:
    """A body in JSON.

    Raises:
        RequestError: Something in it cannot be written so.
    """
    try:
        return msgspec.json.encode(body)
    except (TypeError, ValueError) as error:
        raise RequestError(f"this cannot be sent as JSON: {error}", "INVALID_INPUT", 400) from error


def read(url: str, body: bytes) -> dict[str, Any]:
    """The object in an answer.

    Raises:
        ProtocolError: There is none.
    """
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProtocolError(f"the answer of {url} is not a JSON object: {error}") from error


def refusal(url: str, status: int, body: bytes, wait: str | None) -> SIEError:
    """The error that an answer reports.

    Args:
        url: What was asked.
        status: HTTP status.
        body: As it came.
        wait: The header ``Retry-After``, if there is one.
    """
    said = said_of(body)
    message = said.get("message") or f"{url} answered {status}: {body[:_SHOWN]!r}"
    code = said.get("code")
    if status < 500:
        return RequestError(message, code, status, param=said.get("param"))
    seconds = float(wait) if wait and wait.replace(".", "", 1).isdecimal() else None
    return ServerError(message, code, status, retry_after=seconds)


def said_of(body: bytes) -> dict[str, Any]:
    """What is told of an error, in SIE's shape or in OpenAI's."""
    try:
        told = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    said = told.get("detail", told.get("error"))
    return said if isinstance(said, dict) else {}
