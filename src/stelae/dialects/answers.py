"""What answers have in common: JSON, headers, and one body for every error."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.base import Record, record_of
from stelae.errors import RETRYABLE, StelaeError
from stelae.types import EncodeResult, ExtractResult, ScoreResult, Timing

MAX_RETRY_AFTER = 60

PLAIN = "stelae.plain"
"""In the scope of a request whose errors are sentences alone."""

_JSON = msgspec.json.Encoder(enc_hook=str)


def json_answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A value of plain types and Structs as a JSON answer."""
    return Response(_JSON.encode(body), status, headers, "application/json")


def result_headers(
    result: EncodeResult | ScoreResult | ExtractResult, record: Record
) -> dict[str, str]:
    """The headers that tell what a result is and what it took, in every dialect."""
    headers = {
        "X-Stelae-Fingerprint": result.fingerprint,
        "Server-Timing": server_timing(result.timing, record.elapsed_ms),
    }
    if record.served is not None and record.served.truncated:
        headers["X-Stelae-Truncated"] = str(record.served.truncated)
    return headers


def server_timing(timing: Timing, total_ms: float) -> str:
    """Milliseconds per stage in the form browsers and tools read."""
    return (
        f"prepare;dur={timing.prepare_ms:.3f}, queue;dur={timing.queue_ms:.3f}, "
        f"run;dur={timing.run_ms:.3f}, finish;dur={timing.finish_ms:.3f}, total;dur={total_ms:.3f}"
    )


def retry_after(error: StelaeError) -> int | None:
    """Whole seconds to wait, 1 to 60, or ``None`` if a retry would not help."""
    if error.code not in RETRYABLE and error.retry_after is None:
        return None
    return max(1, min(MAX_RETRY_AFTER, math.ceil(error.retry_after or 1)))


def error_headers(error: StelaeError) -> dict[str, str]:
    """Headers that belong to an error in every dialect."""
    headers = {"X-Stelae-Error-Code": error.code}
    if (seconds := retry_after(error)) is not None:
        headers["Retry-After"] = str(seconds)
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if error.status == 405:
        headers["Allow"] = str(error.details.get("allow", ""))
    return headers


def house_error(error: StelaeError, request: Request) -> Response:
    """The error body of the house: readable by clients of every dialect."""
    return json_answer(error_body(error, record_of(request)), error.status, error_headers(error))


def error_body(error: StelaeError, record: Record) -> dict[str, Any]:
    """``detail`` for clients that look for a sentence, ``error`` for those that want a code."""
    return {"error": error_fields(error, record), "detail": str(error)}


def tell_plainly(request: Request) -> None:
    """From now on errors of a request are sentences alone, in ``detail``.

    # Quirk: voyageai 0.3 fails over an ``error`` that is an object; tests/contract/voyage.
    """
    request.scope[PLAIN] = True


def as_read(body: dict[str, Any], request: Request) -> dict[str, Any]:
    """The body of an error as its caller can read it."""
    if not request.scope.get(PLAIN):
        return body
    return {name: part for name, part in body.items() if not isinstance(part, dict)}


def error_fields(error: StelaeError, record: Record) -> dict[str, Any]:
    """An error as plain fields: its ``ErrorInfo`` and where it belongs."""
    kind = "invalid_request_error" if error.status < 500 else "server_error"
    return {
        "type": kind,
        "param": None,
        **msgspec.to_builtins(error.info, enc_hook=str),
        "status": error.status,
        "request_id": record.id,
    }
