"""What every dialect is made of: operations, and one renderer for errors."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from stelae.errors import StelaeError
from stelae.security.fetch import Fetcher
from stelae.service.fleet import Fleet
from stelae.service.inference import Inference
from stelae.service.lookout import Lookout
from stelae.service.pools import Pools
from stelae.service.works import Kind, Works
from stelae.telemetry.metrics import Metrics, Served

RECORD = "stelae.record"

PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")
"""A parameter in the template of a path."""


@dataclass(slots=True)
class Record:
    """What is known of a request, for the log and the metrics; never its text."""

    id: str
    started: float = field(default_factory=time.perf_counter)
    key_id: str | None = None
    route: str = ""
    dialect: str = ""
    model: str = ""
    status: int = 0
    error: str = ""
    served: Served | None = None

    @property
    def elapsed_ms(self) -> float:
        """Milliseconds since the request arrived."""
        return (time.perf_counter() - self.started) * 1000


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What a server says about itself.

    Attributes:
        version: Of Stelae.
        pid: Process id of the gateway.
        started: Unix time of its start.
        listen: Addresses served on.
        limits: What is accepted before requests are refused.
    """

    version: str
    pid: int
    started: float
    listen: tuple[str, ...] = ()
    limits: dict[str, int | float] = {}

    @property
    def url(self) -> str:
        """The first address served on; empty where none is known."""
        return next(iter(self.listen), "")


@dataclass(frozen=True, slots=True)
class Rooms:
    """The rooms that a dialect may enter."""

    inference: Inference
    fleet: Fleet
    pools: Pools
    lookout: Lookout
    works: Works
    metrics: Metrics
    about: About
    fetcher: Fetcher = field(default_factory=Fetcher)


Handle = Callable[[Request, Rooms], Awaitable[Response]]
RenderError = Callable[[StelaeError, Request], Response]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method on one path; the route and its page in the docs come from it.

    Attributes:
        method: HTTP method.
        path: Template, as ``/v1/models/{id:path}``.
        handle: Answers the request.
        summary: One line for the docs.
        request: Type of the body, if it has one.
        response: Type of the answer, if it is described by one.
        errors: Errors worth naming in the docs.
        example: A body that works on every server, for the docs.
        media: Media types of the answer.
        open: Whether it is reached without a key.
        quiet: Whether it is left out of the access log.
    """

    method: str
    path: str
    handle: Handle
    summary: str
    request: Any = None
    response: Any = None
    errors: tuple[type[StelaeError], ...] = ()
    example: Any = None
    media: tuple[str, ...] = ("application/json",)
    open: bool = False
    quiet: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A WebSocket on which the server tells something again and again.

    Attributes:
        path: Where it is asked for.
        tell: What is told, as JSON text.
        every: Seconds between two messages.
        summary: One line for the docs.
    """

    path: str
    tell: Callable[[Rooms], str]
    every: float
    summary: str


@dataclass(frozen=True, slots=True)
class Dialect:
    """One public wire protocol.

    Attributes:
        name: In the log, the metrics and the docs.
        summary: One line for the docs.
        operations: What it answers.
        errors: Errors in its shape.
        speaks: Whether headers are those of a client of this protocol; such requests it
            answers on paths that other protocols have too.
        feeds: What it tells on WebSockets.
        works: Kinds of work in the background that it takes on.
    """

    name: str
    summary: str
    operations: Sequence[Operation]
    errors: RenderError
    speaks: Callable[[Headers], bool] | None = None
    feeds: Sequence[Feed] = ()
    works: Sequence[Kind] = ()


class Endpoint:
    """An operation as an ASGI application; typed errors become its dialect's answers."""

    def __init__(self, operation: Operation, dialect: Dialect, rooms: Rooms) -> None:
        self.operation = operation
        self.dialect = dialect
        self._rooms = rooms

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        record: Record = scope[RECORD]
        record.route = self.operation.path
        record.dialect = self.dialect.name
        request = Request(scope, receive)
        try:
            answer = await self.operation.handle(request, self._rooms)
        except StelaeError as error:
            record.error = error.code
            answer = self.dialect.errors(error, request)
        await answer(scope, receive, send)


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


def record_of(request: Request) -> Record:
    """What is known of a request."""
    record: Record = request.scope[RECORD]
    return record
