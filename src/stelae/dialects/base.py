"""What every dialect is made of: operations, and one renderer for errors."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar

import msgspec
import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from stelae.errors import DeadlineExceeded, InvalidInput, ModelNotFound, StelaeError
from stelae.service.fleet import Fleet
from stelae.service.inference import Caller, Inference
from stelae.telemetry.metrics import Metrics, Served
from stelae.types import EncodeCall, EncodeResult, Timing

P = ParamSpec("P")
T = TypeVar("T")

RETRYABLE = frozenset(
    {"queue_full", "model_not_ready", "no_capacity", "shutting_down", "worker_died"}
) | {"out_of_memory"}
"""Codes of errors after which the same request may succeed."""

MAX_RETRY_AFTER = 60
OFFLOAD_BYTES = 1024 * 1024
RECORD = "stelae.record"

_JSON = msgspec.json.Encoder(enc_hook=str)


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
    body_bytes: int = 0
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


@dataclass(frozen=True, slots=True)
class Rooms:
    """The rooms that a dialect may enter."""

    inference: Inference
    fleet: Fleet
    metrics: Metrics
    about: About


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


@dataclass(frozen=True, slots=True)
class Dialect:
    """One public wire protocol."""

    name: str
    summary: str
    operations: Sequence[Operation]
    errors: RenderError


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


async def encode(request: Request, rooms: Rooms, call: EncodeCall) -> EncodeResult:
    """Run a call for the request's caller and note what it used."""
    record = record_of(request)
    caller = Caller(request_id=record.id, key_id=record.key_id, timeout=timeout_of(request))
    try:
        result = await rooms.inference.encode(call, caller)
    except ModelNotFound:
        raise
    except StelaeError:
        record.model = rooms.fleet.model(call.model).name
        raise
    record.model = result.model
    record.served = Served(
        model=result.model,
        tokens=result.usage.tokens,
        items=len(result.tokens),
        truncated=int(np.count_nonzero(result.truncated)),
        timing=result.timing,
        error_codes=tuple(error.code for error in result.errors.values()),
    )
    return result


def timeout_of(request: Request) -> float | None:
    """Seconds the caller gives, from ``X-Request-Timeout-Ms``, if it states any.

    Raises:
        InvalidInput: The header is not a number.
        DeadlineExceeded: No time is left.
    """
    given = request.headers.get("x-request-timeout-ms")
    if given is None:
        return None
    try:
        seconds = float(given) / 1000
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise InvalidInput(
            "header X-Request-Timeout-Ms must be a number of milliseconds",
            param="X-Request-Timeout-Ms",
        )
    if seconds <= 0:
        raise DeadlineExceeded("the request arrived with no time left")
    return seconds


async def offload(size: int, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function here if it works on few bytes, else in a thread."""
    if size <= OFFLOAD_BYTES:
        return function(*args, **kwargs)
    return await asyncio.to_thread(function, *args, **kwargs)


def result_headers(result: EncodeResult, record: Record) -> dict[str, str]:
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


def json_answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A value of plain types and Structs as a JSON answer."""
    return Response(_JSON.encode(body), status, headers, "application/json")


def record_of(request: Request) -> Record:
    """What is known of a request."""
    record: Record = request.scope[RECORD]
    return record


def house_error(error: StelaeError, record: Record) -> Response:
    """The error body of the house: readable by clients of every dialect."""
    return json_answer(error_body(error, record), error.status, error_headers(error))


def error_body(error: StelaeError, record: Record) -> dict[str, Any]:
    """``detail`` for clients that look for a sentence, ``error`` for those that want a code."""
    return {"error": error_fields(error, record), "detail": str(error)}


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
