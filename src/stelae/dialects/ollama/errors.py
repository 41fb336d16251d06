"""Errors as Ollama's clients read them: one sentence."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import error_headers, json_answer
from stelae.dialects.base import record_of
from stelae.errors import StelaeError

CLIENT = "ollama"
"""How the clients of this protocol begin the name that they send."""


def speaks(headers: Headers) -> bool:
    """Whether a request is from one of Ollama's own clients."""
    return headers.get("user-agent", "").lower().startswith(CLIENT)


def error_body(error: StelaeError, request: Request) -> dict[str, Any]:
    """An error as an answer, or as the last line of one."""
    return {"error": str(error), "code": error.code, "request_id": record_of(request).id}


def render_error(error: StelaeError, request: Request) -> Response:
    """An error in the shape that these clients raise as ``ResponseError``."""
    return json_answer(error_body(error, request), error.status, error_headers(error))
