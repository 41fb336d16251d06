"""Events of an answer, whatever happens: the last one says why, if it fails."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec
from starlette.requests import Request

from stelae.dialects.base import record_of
from stelae.dialects.events import event
from stelae.dialects.openai.convert import error_object
from stelae.errors import StelaeError


async def ended(request: Request, events: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """The same events; if they fail, one that says why is the last."""
    try:
        async with aclosing(events):
            async for data in events:
                yield data
    except StelaeError as error:
        record_of(request).error = error.code
        yield event(msgspec.json.encode({"error": error_object(error, request)}, enc_hook=str))
