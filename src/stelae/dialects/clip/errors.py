"""Errors in the protocol's shape: a status in the header, or an answer of HTTP."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import error_fields, error_headers, json_answer
from stelae.dialects.base import record_of
from stelae.dialects.clip.schema import ExceptionTold, StatusTold
from stelae.errors import RETRYABLE, InvalidInput, StelaeError
from stelae.wire.clip.names import ERROR

UNREADABLE = 422
"""What this protocol answers to a body that cannot be read."""


def status_of(error: StelaeError) -> StatusTold:
    """An error as the status of an answer; it tells nothing of the inside of the server."""
    # Callers look for the names of their language's own exceptions.
    name = "ValueError" if isinstance(error, InvalidInput) else type(error).__name__
    return StatusTold(
        code=ERROR,
        description=f"{name}: {error}",
        exception=ExceptionTold(name=name, args=[str(error)]),
    )


def is_transient(error: StelaeError) -> bool:
    """Whether HTTP should say that the same request may do later."""
    return error.code in RETRYABLE or error.status in (503, 504)


def render_error(error: StelaeError, request: Request) -> Response:
    """An error as an answer of HTTP; the client looks for the sentence in the header."""
    record = record_of(request)
    status = UNREADABLE if error.code == InvalidInput.code else error.status
    body: dict[str, Any] = {
        "header": {"requestId": record.id, "status": status_of(error)},
        "detail": _detail(error) if status == UNREADABLE else str(error),
        "error": error_fields(error, record) | {"status": status},
    }
    return json_answer(body, status, error_headers(error))


def _detail(error: StelaeError) -> list[dict[str, Any]]:
    place = ["body", *(error.param or "").split(".")] if error.param else ["body"]
    return [{"loc": place, "msg": str(error), "type": "value_error"}]
