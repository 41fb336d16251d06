"""The outermost layer: what every request passes before and after its dialect."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Iterable

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stelae.dialects.answers import house_error
from stelae.dialects.base import RECORD, Record, RenderError
from stelae.errors import NoSuchMethod, NoSuchPath, ShuttingDown, StelaeError
from stelae.security.browsers import BrowserGuard
from stelae.security.keys import KeyRing
from stelae.server.inbox import Inbox, Ledger
from stelae.server.sockets import Sockets
from stelae.telemetry import log
from stelae.telemetry.metrics import Metrics

OPEN_PATHS = frozenset({"/healthz", "/readyz", "/dry_run", "/openapi.json"})
"""Paths reached without a key, compared with the raw path; all others need one."""

OPEN_PLACES = ("/v1/refs/",)
"""What lies below these is reached without a key: the addresses are secrets themselves."""

_SANE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


class Edge:
    """Request id, key, byte limits, metrics, log, and an answer to everything.

    Attributes:
        sockets: Answers WebSockets.
        draining: Once true, answers ask the client to close its connection.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        keys: KeyRing,
        browsers: BrowserGuard,
        ledger: Ledger,
        metrics: Metrics,
        quiet: Iterable[str] = (),
        access: bool = True,
        errors: RenderError = house_error,
        sockets: Sockets | None = None,
    ) -> None:
        self._app = app
        self.sockets = sockets
        self._keys = keys
        self._browsers = browsers
        self._ledger = ledger
        self._metrics = metrics
        self._quiet = frozenset(quiet)
        self._access = access
        self._errors = errors
        self._log = log.get().bind()
        self.draining = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens."""
        record = Record(id=_request_id(scope))
        scope[RECORD] = record
        scope["app"] = self._app  # so that the router raises for unknown paths
        if scope["path"].startswith("//"):
            scope["path"] = "/" + scope["path"].lstrip("/")
        structlog.contextvars.bind_contextvars(request_id=record.id)
        if scope["type"] != "http":
            await (self.sockets or _no_sockets)(scope, receive, send)
            return
        self._metrics.in_flight.add(1)
        inbox = Inbox(receive, scope["headers"], self._ledger)
        outbox = _Outbox(send, record, self)
        try:
            await self._answer(scope, inbox, outbox)
        except asyncio.CancelledError:
            if inbox.left:
                record.status = 499
            elif outbox.started or not self.draining:
                raise
            else:
                await self._fail(scope, outbox, ShuttingDown("the server stops", retry_after=1.0))
        finally:
            inbox.close()
            self._note(scope, record, inbox)

    async def _answer(self, scope: Scope, inbox: Inbox, outbox: _Outbox) -> None:
        record = outbox.record
        try:
            path = scope["path"]
            if path not in OPEN_PATHS and not path.startswith(OPEN_PLACES):
                self._browsers.admit(scope["headers"])
                record.key_id = self._keys.admit(scope["headers"])
            await self._app(scope, inbox.receive, outbox.send)
            return
        except StelaeError as error:
            failure = error
        except HTTPException as error:
            failure = _no_operation(scope, error)
        except Exception:
            log.get().exception("request_failed", route=record.route, dialect=record.dialect)
            failure = StelaeError("the server failed to answer; its log has the request id")
        await self._fail(scope, outbox, failure)

    async def _fail(self, scope: Scope, outbox: _Outbox, failure: StelaeError) -> None:
        outbox.record.error = failure.code
        if not outbox.started:
            await self._errors(failure, Request(scope))(scope, _nothing, outbox.send)

    def _note(self, scope: Scope, record: Record, inbox: Inbox) -> None:
        metrics, served = self._metrics, record.served
        metrics.in_flight.add(-1)
        metrics.request(
            record.route, record.dialect, record.model, record.status, record.elapsed_ms / 1000
        )
        if served is not None:
            metrics.served(served)
        codes = (record.error,) if record.error else served.error_codes if served else ()
        for code in codes:
            metrics.error(code)
        if self._access and record.route not in self._quiet:
            self._log.info("request", **_fields(scope, record, inbox))


class _Outbox:
    """Sends the answer, with what every answer carries."""

    def __init__(self, send: Send, record: Record, edge: Edge) -> None:
        self._send = send
        self._edge = edge
        self.record = record
        self.started = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            self.record.status = message["status"]
            headers = [*message["headers"], (b"x-request-id", self.record.id.encode())]
            if self._edge.draining:
                headers.append((b"connection", b"close"))
            message["headers"] = headers
        await self._send(message)


def _fields(scope: Scope, record: Record, inbox: Inbox) -> dict[str, str | int | float]:
    fields: dict[str, str | int | float | None] = {
        "method": scope["method"],
        "route": record.route or None,
        "status": record.status,
        "ms": round(record.elapsed_ms, 3),
        "bytes_in": inbox.taken,
        "dialect": record.dialect or None,
        "model": record.model or None,
        "error": record.error or None,
        "key": record.key_id,
    }
    if (served := record.served) is not None:
        fields |= {"items": served.items, "tokens": served.tokens, "truncated": served.truncated}
    return {name: value for name, value in fields.items() if value is not None}


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            given = value.decode("latin-1")
            return given if _SANE_ID.fullmatch(given) else secrets.token_hex(8)
    return secrets.token_hex(8)


def _no_operation(scope: Scope, error: HTTPException) -> StelaeError:
    where = f"{scope['method']} {log.escape(scope['path'][:200])}"
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        return NoSuchMethod(
            f"{where}: this path takes {allowed}", param="method", details={"allow": allowed}
        )
    return NoSuchPath(f"{where}: no such path", hint="GET /docs lists all paths")


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


async def _no_sockets(scope: Scope, receive: Receive, send: Send) -> None:
    del scope
    await receive()
    await send({"type": "websocket.close", "code": 1003})
