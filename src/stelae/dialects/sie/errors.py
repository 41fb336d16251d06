"""Errors as the SDK reads them: ``{"detail": {"code", "message"}}`` and a header.

The SDK decides by status and code whether it asks again, so that each error of the
house has one code here; what may succeed later has a ``Retry-After`` that is never 0.
"""

from __future__ import annotations

from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import error_headers, json_answer
from stelae.dialects.base import record_of
from stelae.dialects.sie.versions import told, version
from stelae.errors import RETRYABLE, StelaeError
from stelae.version import __version__
from stelae.wire.sie.codes import LOAD_FAILED, PROVISIONING, code_of, load_facts, status_of

LAST_WITH_202 = (0, 6, 5)
"""From this version on, provisioning is 503; before it, 202."""

SHORTEST, LONGEST = 0.05, 60.0
"""Bounds of ``Retry-After`` in seconds."""

SOON = 1.0
"""Longest ``Retry-After`` for what is loading, since it may be there at any moment."""


def render_error(error: StelaeError, request: Request) -> Response:
    """An error in the shape that every generation of the SDK maps to its classes."""
    code = code_of(error)
    headers = error_headers(error) | version_headers(request.headers)
    headers |= {"X-SIE-Error-Code": code, "X-SIE-Request-ID": record_of(request).id}
    headers.pop("Retry-After", None)
    if (seconds := retry_after(error, code)) is not None:
        headers["Retry-After"] = f"{seconds:g}"
    if code == PROVISIONING and version(request.headers) < LAST_WITH_202:
        return json_answer(_provisioning(error, seconds), 202, headers)
    body = {"detail": {"code": code, "message": str(error), **_more(error, code)}}
    return json_answer(body, status_of(error), headers)


def version_headers(headers: Headers) -> dict[str, str]:
    """The server's version as the SDK wants to see it: its own, for it warns of others."""
    return {"X-SIE-Server-Version": told(headers) or __version__}


def retry_after(error: StelaeError, code: str) -> float | None:
    """Seconds to wait, or ``None`` if another try would not help."""
    if code == LOAD_FAILED or (error.code not in RETRYABLE and error.retry_after is None):
        return None
    most = SOON if code in {"MODEL_LOADING", "LORA_LOADING"} else LONGEST
    least = 0.25 if code in {"MODEL_LOADING", "LORA_LOADING"} else SHORTEST
    return round(max(least, min(most, error.retry_after or DEFAULTS.get(code, 1.0))), 3)


DEFAULTS = {"RESOURCE_EXHAUSTED": 5.0, "MODEL_LOADING": 0.5, "LORA_LOADING": 0.5}
"""Seconds to wait where the error does not say; 1 for others."""


def _more(error: StelaeError, code: str) -> dict[str, Any]:
    facts = {k: v for k, v in error.details.items() if k not in {"code", "message", "stage"}}
    if error.param is not None:
        facts["param"] = error.param
    return facts | load_facts(error) if code == LOAD_FAILED else facts


def _provisioning(error: StelaeError, seconds: float | None) -> dict[str, Any]:
    return {
        "status": "provisioning",
        "gpu": error.details.get("gpu"),
        "bundle": "default",
        "estimated_wait_s": seconds,
        "message": str(error),
    }
