"""Who asks, as the SDK's headers tell it."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.requests import Request

from stelae.dialects import ask
from stelae.dialects.base import first_of
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
    pool, machine = place_of(request.headers)
    return ask.caller_of(request, load_wait=HOLD, pool=pool, machine=machine)


def place_of(headers: Headers) -> tuple[str | None, str | None]:
    """The pool and the machine profile that should answer.

    The SDK splits ``pool/profile`` itself; others may send it whole.
    """
    pool = (first_of(headers.raw, b"x-sie-pool") or "").strip()
    machine = (first_of(headers.raw, b"x-sie-machine-profile") or "").strip()
    if "/" in machine:
        pool, _, machine = machine.partition("/")
    return pool or None, machine or None
