"""Errors as each of these protocols' clients reads them."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import as_read, error_body, error_headers, json_answer
from stelae.dialects.base import record_of
from stelae.errors import StelaeError

BARE = (
    "/rerank", "/embed", "/embed_all", "/embed_sparse", "/similarity", "/predict", "/tokenize",
    "/decode", "/info", "/tei",
)  # fmt: skip
"""Paths, and a place, whose clients read ``error`` as a sentence."""

KINDS = {
    "invalid_input": (422, "Validation"),
    "unsupported_task": (424, "Backend"),
    "input_too_long": (413, "Validation"),
    "queue_full": (429, "Overloaded"),
    "rate_limited": (429, "Overloaded"),
    "model_not_ready": (503, "Unhealthy"),
}
"""Status and name of errors as TEI has them, by our code; others keep their status."""


def render_error(error: StelaeError, request: Request) -> Response:
    """An error for whoever asks at a path."""
    path = request.scope["path"]
    if any(path == bare or path.startswith(f"{bare}/") for bare in BARE):
        return _tei(error, request)
    body = {"message": str(error), **error_body(error, record_of(request))}
    return json_answer(as_read(body, request), error.status, error_headers(error))


def _tei(error: StelaeError, request: Request) -> Response:
    """``error`` and ``error_type`` for TEI's clients, sentences for the others that ask there."""
    status, kind = KINDS.get(error.code, (error.status, _kind(error.status)))
    body: dict[str, Any] = {
        "error": str(error),
        "error_type": kind,
        "detail": str(error),
        "message": str(error),
        "code": error.code,
        "param": error.param,
        "request_id": record_of(request).id,
    }
    return json_answer(body, status, error_headers(error))


def _kind(status: int) -> str:
    return "Validation" if status < 500 else "Backend"
