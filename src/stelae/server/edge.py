"""The outermost layer: what every request passes before and after its dialect."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection, Sequence

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stelae.dialects.answers import house_error
from stelae.dialects.base import HOLD, RECORD, REFUSAL, Record, RenderError
from stelae.errors import NoSuchMethod, NoSuchPath, ShuttingDown, StelaeError, Unauthorized
from stelae.server.cors import shared
from stelae.server.exchange import LINE
from stelae.server.inbox import Inbox
from stelae.server.reception import Reception
from stelae.server.sockets import Sockets
from stelae.telemetry import log

OPEN_PLACES = ("/v1/refs/", "/files/images/")
"""What lies below these is reached without a key: the addresses are secrets themselves."""


class Edge:
    """Everything before and after a dialect, and an answer to everything.

    Attributes:
        reception: What all transports share.
        sockets: Answers WebSockets.

    Args:
        app: Finds the dialect and answers.
        reception: What all transports share.
        errors: Answers errors from before the dialects.
        sockets: Answers WebSockets.
        cors: Origins whose pages may ask, ``*`` for all; none of others if empty.
        open_paths: Paths reached without a key, beside what lies below ``OPEN_PLACES``.
        strangers: Paths where there is something for those without a key.
    """

    def __init__(
        self,
        app: ASGIApp,
        reception: Reception,
        *,
        errors: RenderError = house_error,
        sockets: Sockets | None = None,
        cors: Sequence[str] = (),
        open_paths: Collection[str] = (),
        strangers: Collection[str] = (),
    ) -> None:
        self._app = app
        self.sockets = sockets
        self._errors = errors
        self._open = frozenset(open_paths)
        self._strangers = frozenset(strangers)
        self._answering = shared(self._request, cors)
        self.reception = reception

    def drain(self) -> None:
        """From now on answers ask clients to close their connections, and WebSockets end."""
        self.reception.draining = True
        if self.sockets is not None:
            self.sockets.stop()

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer one request, whatever happens."""
        scope[RECORD] = self.reception.arrive(scope["headers"])
        if scope["path"].startswith("//"):
            scope["path"] = "/" + scope["path"].lstrip("/")
        if scope["type"] == "http":
            return self._answering(scope, receive, send)
        return (self.sockets or _no_sockets)(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        record: Record = scope[RECORD]
        in_flight = self.reception.metrics.in_flight
        in_flight.value += 1
        inbox = Inbox(receive, scope["headers"], self.reception.ledger, scope.get(LINE))
        scope[HOLD] = inbox.hold
        outbox = _Outbox(send, record, self.reception)
        try:
            await self._answer(scope, inbox, outbox)
        except asyncio.CancelledError:
            if inbox.left:
                record.status = 499
            elif outbox.started or not self.reception.draining:
                raise
            else:
                await self._fail(scope, outbox, ShuttingDown("the server stops", retry_after=1.0))
        finally:
            inbox.close()
            in_flight.value -= 1
            self.reception.count(record)
            self.reception.note("request", record, method=scope["method"], bytes_in=inbox.taken)

    async def _answer(self, scope: Scope, inbox: Inbox, outbox: _Outbox) -> None:
        record = outbox.record
        try:
            self._admit(record, scope)
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

    def _admit(self, record: Record, scope: Scope) -> None:
        path = scope["path"]
        if path in self._open or path.startswith(OPEN_PLACES):
            return
        try:
            self.reception.admit(record, scope["headers"])
        except Unauthorized as error:
            if path not in self._strangers:
                raise
            scope[REFUSAL] = error

    async def _fail(self, scope: Scope, outbox: _Outbox, failure: StelaeError) -> None:
        outbox.record.error = failure.code
        if not outbox.started:
            await self._errors(failure, Request(scope))(scope, _nothing, outbox.send)


class _Outbox:
    """Sends the answer, with what every answer carries."""

    def __init__(self, send: Send, record: Record, reception: Reception) -> None:
        self._send = send
        self._reception = reception
        self.record = record
        self.started = False

    def send(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            self.started = True
            self.record.status = message["status"]
            headers = [*message["headers"], (b"x-request-id", self.record.id.encode())]
            if self._reception.draining:
                headers.append((b"connection", b"close"))
            message["headers"] = headers
        return self._send(message)


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
