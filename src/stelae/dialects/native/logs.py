"""What the server has logged last."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.base import Operation, Rooms
from stelae.dialects.native import convert
from stelae.errors import InvalidInput
from stelae.telemetry.latest import LATEST

MOST = 10_000
"""Lines of one answer."""

USUAL = 100


class LogsResponse(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the log.

    Attributes:
        lines: Its lines, the oldest first.
        next: What to give as ``from`` for what follows.
        lost: Lines between ``from`` and what is there still.
        started: Unix time of the server's start; the log begins anew with it.
    """

    lines: list[str]
    next: int
    lost: int
    started: float


async def logs(request: Request, rooms: Rooms) -> Response:
    """The latest lines, or those from a number on."""
    first, most = _number(request, "from"), _number(request, "lines")
    told = LATEST.since(first, USUAL if most is None else min(most, MOST))
    answer = LogsResponse(
        lines=told.lines, next=told.next, lost=told.lost, started=rooms.about.started
    )
    return convert.answer(answer, request)


def _number(request: Request, name: str) -> int | None:
    """A number of the query, if it is given.

    Raises:
        InvalidInput: It is none.
    """
    text = request.query_params.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise InvalidInput(f"{name}={text[:40]!r}: a number from 0 on was expected", param=name)
    return int(text)


LOG_OPERATIONS = (
    Operation(
        method="GET",
        path="/stelae/v1/logs",
        handle=logs,
        summary="Tell the latest `?lines=` of the log, or those `?from=` a number on.",
        response=LogsResponse,
        errors=(InvalidInput,),
        media=("application/json", "application/msgpack"),
        quiet=True,
    ),
)
