"""Who asks, as the SDK's headers tell it."""

from __future__ import annotations

from msgspec.structs import replace
from starlette.requests import Request

from stelae.dialects import ask
from stelae.service.inference import Caller

HOLD = 8.0
"""Seconds that a request waits for its model to load before the SDK is told to ask again.

The SDK gives up on an answer after 30 seconds in its older versions.
"""


def caller_of(request: Request) -> Caller:
    """The caller of a request.

    Raises:
        InvalidInput: A header cannot be read.
    """
    return replace(ask.caller_of(request), load_wait=HOLD)
