from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stelae.dialects.base import RECORD
from stelae.errors import QueueFull
from stelae.security.browsers import BrowserGuard
from stelae.security.keys import KeyRing
from stelae.server import inbox
from stelae.server.edge import Edge
from stelae.server.inbox import Ledger
from stelae.server.reception import Reception
from stelae.telemetry import log
from stelae.telemetry.metrics import Metrics


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    out = io.StringIO()
    log.configure(json=True, stream=out)
    yield out
    structlog.reset_defaults()
    log.get()  # as where Stelae is imported: its loggers are quiet
    root.handlers, root.level = handlers, level


def events(logged: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in logged.getvalue().splitlines()]


async def echo(request: Request) -> Response:
    body = await request.body()
    return JSONResponse({"path": request.url.path, "bytes": len(body)})


async def routed(scope: Scope, receive: Receive, send: Send) -> None:
    router = Router([Route("/echo", echo, methods=["POST"]), Route("/healthz", echo)])
    await router({**scope, "app": router}, receive, send)  # with which it raises for unknown paths


def edge(app: ASGIApp = routed, *keys: str, body_bytes: int = 100, **more: Any) -> Edge:
    named = {name: more.pop(name) for name in ("quiet", "access") if name in more}
    ring = KeyRing(keys)
    reception = Reception(
        keys=ring,
        browsers=BrowserGuard([], ring),
        ledger=Ledger(body_bytes, 1000),
        metrics=Metrics(),
        **named,
    )
    return Edge(app, reception, **more)


def client(app: Edge) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://server")


async def call(app: Edge, method: str, path: str, **more: Any) -> httpx.Response:
    async with client(app) as http:
        return await http.request(method, path, **more)


def raising(error: BaseException) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise error

    return app


async def test_request_passes_and_gets_an_id() -> None:
    answer = await call(edge(), "POST", "/echo", content=b"abc")
    assert answer.json() == {"path": "/echo", "bytes": 3}
    assert len(answer.headers["x-request-id"]) == 16


async def test_sane_request_id_is_kept() -> None:
    answer = await call(edge(), "POST", "/echo", headers={"X-Request-Id": "job-7:part.2"})
    assert answer.headers["x-request-id"] == "job-7:part.2"


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "a\tb", "ä", "{id}"])
async def test_odd_request_id_is_replaced(given: str) -> None:
    headers = {"X-Request-Id": given.encode("latin-1")}
    answer = await call(edge(), "POST", "/echo", headers=headers)
    assert answer.headers["x-request-id"] != given


async def test_leading_slashes_are_collapsed() -> None:
    scope_path = "///echo"
    app = edge()
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http", "method": "POST", "path": scope_path, "headers": [], "query_string": b"",
        "server": ("server", 80),
    }  # fmt: skip
    await app(scope, receive, send)
    assert sent[0]["status"] == 200


async def test_unknown_path_is_answered_for_every_kind_of_client() -> None:
    answer = await call(edge(), "GET", "/nope")
    assert answer.status_code == 404
    body = answer.json()
    assert isinstance(body["detail"], str)
    assert body["error"]["code"] == "no_such_path"
    assert {"message", "type", "param", "code"} <= body["error"].keys()
    assert body["error"]["request_id"] == answer.headers["x-request-id"]


async def test_wrong_method_is_answered_with_the_right_one() -> None:
    answer = await call(edge(), "GET", "/echo")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json()["error"]["code"] == "no_such_method"


async def test_unforeseen_error_is_logged_and_not_told(logged: io.StringIO) -> None:
    answer = await call(edge(raising(KeyError("planted-canary"))), "POST", "/echo")
    assert answer.status_code == 500
    assert "planted-canary" not in answer.text
    assert "Traceback" not in answer.text
    failed = next(e for e in events(logged) if e["event"] == "request_failed")
    assert "planted-canary" in failed["exception"]
    assert failed["request_id"] == answer.headers["x-request-id"]


async def test_typed_error_that_no_dialect_rendered_is_answered() -> None:
    answer = await call(edge(raising(QueueFull("full", retry_after=0.2))), "POST", "/echo")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


async def test_body_over_the_limit_is_413() -> None:
    answer = await call(edge(), "POST", "/echo", content=b"x" * 101)
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "body_too_large"


async def test_body_of_unknown_length_over_the_limit_is_413() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b"x" * 10

    assert (await call(edge(), "POST", "/echo", content=pieces())).status_code == 413


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "TRACE"])
@pytest.mark.parametrize(
    "path", ["/echo", "/echo/", "//echo", "/", "/nope", "/healthz/", "/HEALTHZ"]
)
async def test_without_a_key_nothing_is_reached(method: str, path: str) -> None:
    answer = await call(edge(routed, "secret"), method, path)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_with_a_key_the_path_is_reached() -> None:
    headers = {"Authorization": "Bearer secret"}
    answer = await call(edge(routed, "secret"), "POST", "/echo", headers=headers)
    assert answer.status_code == 200


async def test_health_needs_no_key() -> None:
    app = edge(routed, "secret", open_paths=["/healthz"])
    assert (await call(app, "GET", "/healthz")).status_code == 200


@pytest.mark.parametrize("host", ["server/healthz?", "x/healthz", "healthz"])
async def test_host_header_does_not_open_a_path(host: str) -> None:
    answer = await call(edge(routed, "secret"), "POST", "/echo", headers={"Host": host})
    assert answer.status_code == 401


async def test_each_request_is_one_event_without_its_text(logged: io.StringIO) -> None:
    headers = {"Authorization": "Bearer planted-canary-key", "X-Other": "planted-canary-header"}
    content = b"planted-canary-text"
    path = "/echo?q=planted-canary-query"
    await call(edge(routed, "planted-canary-key"), "POST", path, headers=headers, content=content)
    event = events(logged)[0]
    assert (event["event"], event["method"], event["status"]) == ("request", "POST", 200)
    assert event["bytes_in"] == len(content)
    assert event["ms"] > 0
    assert "planted-canary" not in logged.getvalue()


async def test_quiet_routes_and_no_access_log_are_respected(logged: io.StringIO) -> None:
    await call(edge(access=False), "POST", "/echo")
    assert logged.getvalue() == ""


async def test_unknown_paths_do_not_become_labels() -> None:
    app = edge()
    for number in range(3):
        await call(app, "GET", f"/nope/{number}")
    assert b"nope" not in app.reception.metrics.render()


async def test_work_ends_when_its_caller_leaves(
    logged: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "WATCH_AFTER", 0.0)
    began, ended = asyncio.Event(), asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    messages: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        if messages:
            return messages.pop()
        await began.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        raise AssertionError("nobody is there to be answered")

    scope = {"type": "http", "method": "POST", "path": "/slow", "headers": []}
    await edge(slow)(scope, receive, send)
    assert ended.is_set()
    assert events(logged)[0]["status"] == 499


async def test_cancelling_the_server_while_it_drains_is_answered() -> None:
    app = edge(raising(asyncio.CancelledError()))
    app.reception.draining = True
    answer = await call(app, "POST", "/echo")
    assert (answer.status_code, answer.headers["connection"]) == (503, "close")
    assert answer.json()["error"]["code"] == "shutting_down"


async def test_answers_while_draining_close_the_connection() -> None:
    app = edge()
    app.reception.draining = True
    assert (await call(app, "POST", "/echo")).headers["connection"] == "close"


async def test_websocket_is_refused_where_none_is_answered() -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await edge()({"type": "websocket", "path": "/", "headers": []}, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1003}]


async def test_requests_in_flight_are_counted() -> None:
    seen: list[bool] = []
    app = edge()

    async def look(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(b"stelae_requests_in_flight 1.0" in app.reception.metrics.render())
        assert scope[RECORD].id
        await Response(b"")(scope, receive, send)

    app._app = look
    await call(app, "POST", "/echo")
    assert seen == [True]
    assert b"stelae_requests_in_flight 0.0" in app.reception.metrics.render()
