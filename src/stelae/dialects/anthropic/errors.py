"""Errors as Anthropic's clients read them: ``{"type": "error", "error": {"type", "message"}}``."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import error_headers, json_answer
from stelae.dialects.base import Record, record_of
from stelae.errors import StelaeError

OVERLOADED = 529
"""The status that says: later, perhaps."""

LATER = frozenset({
    "queue_full", "no_capacity", "provisioning", "model_not_ready", "lora_loading",
    "shutting_down",
})  # fmt: skip
"""Errors that are told as overload."""

IN_VAIN = frozenset(
    {"model_load_failed", "unsupported_checkpoint", "missing_dependency", "deadline_exceeded"}
)
"""Errors after which this protocol's clients would ask again, in vain."""

TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    OVERLOADED: "overloaded_error",
}
"""The protocol's name of a status; those of other refusals and failures are below."""

TOO_LONG = "prompt is too long: "
"""How agents recognise, by the words, a conversation that they should shorten."""


def render_error(error: StelaeError, request: Request) -> Response:
    """An error in the shape that this protocol's clients map to their classes."""
    record = record_of(request)
    headers = {**error_headers(error), **named(record)}
    if "Retry-After" in headers:
        headers["X-Should-Retry"] = "true"
    elif error.code in IN_VAIN:
        headers["X-Should-Retry"] = "false"
    body = {"type": "error", **error_fields(error, record)}
    return json_answer(body, status_of(error), headers)


def error_fields(error: StelaeError, record: Record) -> dict[str, Any]:
    """What is told of an error, as an answer or in the middle of one."""
    status = status_of(error)
    others = "invalid_request_error" if status < 500 else "api_error"
    told = {
        "type": TYPES.get(status, others),
        "message": TOO_LONG + str(error) if error.code == "input_too_long" else str(error),
        "details": {"error_code": error.code, "param": error.param, **error.details},
    }
    return {"error": told, "request_id": record.id}


def status_of(error: StelaeError) -> int:
    """The status of an answer that tells an error."""
    return OVERLOADED if error.code in LATER else error.status


def named(record: Record) -> dict[str, str]:
    """The header by which this protocol's clients name a request to people."""
    return {"request-id": record.id}
