"""Pages of other origins that may ask: only those named in the settings."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

EVERY = "*"
"""Stands for every origin; then browsers send no credentials of their own."""

PREFLIGHT_SECONDS = 600
"""Time for which a browser need not ask again."""

SHOWN = ("Request-Id", "Retry-After", "Server-Timing", "X-Request-Id", "X-Stelae-Error-Code")
"""Headers of an answer that pages may read."""


def shared(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    """Let pages of these origins ask; the application itself if there are none."""
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=("*",),
        allow_headers=("*",),
        allow_credentials=EVERY not in origins,
        expose_headers=SHOWN,
        max_age=PREFLIGHT_SECONDS,
    )
