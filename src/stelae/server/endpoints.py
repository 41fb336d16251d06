"""Operations on their paths, as ASGI applications."""

from __future__ import annotations

import re
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from stelae.dialects.base import RECORD, REFUSAL, Dialect, Operation, Record, RenderError, Rooms
from stelae.errors import StelaeError

PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")
"""A parameter in the template of a path."""


class Endpoint:
    """An operation as an ASGI application; typed errors become answers too.

    Args:
        operation: Answers.
        dialect: Whose it is.
        rooms: What it enters.
        errors: Makes answers of errors, in the shape that the client reads.
    """

    def __init__(
        self, operation: Operation, dialect: Dialect, rooms: Rooms, errors: RenderError
    ) -> None:
        self.operation = operation
        self.dialect = dialect
        self._rooms = rooms
        self._errors = errors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        record: Record = scope[RECORD]
        record.route = self.operation.path
        record.dialect = self.dialect.name
        request = Request(scope, receive)
        try:
            if REFUSAL in scope:
                answer = await self._stranger(request, scope[REFUSAL])
            else:
                answer = await self.operation.handle(request, self._rooms)
        except StelaeError as error:
            record.error = error.code
            answer = self._errors(error, request)
        await answer(scope, receive, send)

    async def _stranger(self, request: Request, refusal: StelaeError) -> Response:
        """What who shows no key is answered."""
        stranger = self.operation.stranger
        answer = None if stranger is None else await stranger(request, self._rooms)
        if answer is None:
            raise refusal
        return answer


class Shared:
    """Endpoints of one path: the first whose protocol the request speaks, else the last."""

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self._endpoints = endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = Headers(scope=scope)
        *recognising, other = self._endpoints
        speaking = (e for e in recognising if e.dialect.speaks and e.dialect.speaks(headers))
        chosen = next(speaking, other)
        # Each has names of its own for the parameters of the path.
        names = PARAMETER.findall(chosen.operation.path)
        values = scope.get("path_params", {}).values()
        scope["path_params"] = dict(zip(names, values, strict=True))
        await chosen(scope, receive, send)
