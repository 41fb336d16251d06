"""Anthropic's paths asked by hand: without the headers of a client, and with bad bodies."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from live import Live, live

pytestmark = pytest.mark.asyncio(loop_scope="module")

HELLO: dict[str, Any] = {
    "model": "org/echo",
    "max_tokens": 9,
    "messages": [{"role": "user", "content": "one two"}],
}
KEY = {"x-api-key": "sesame"}
PREFIXES = ("", "/anthropic")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(zoo: Path) -> AsyncIterator[Live]:
    echo = {"source": str(zoo / "qwen3-chat"), "engine": "fake_text"}
    models = {"org/echo": echo, "vectors": {"source": "embedded", "engine": "fake"}}
    async with live(models=models, api_keys=["sesame"], limits={"body_bytes": 20_000}) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(server: Live) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url) as opened:
        yield opened


def events(text: str) -> list[dict[str, Any]]:
    """The data of a stream's events."""
    return [json.loads(each.split("data: ", 1)[1]) for each in text.split("\n\n")[:-1]]


@pytest.mark.parametrize("prefix", PREFIXES)
async def test_message_is_answered_without_any_header_of_a_client(
    http: httpx.AsyncClient, prefix: str
) -> None:
    made = await http.post(f"{prefix}/v1/messages", json=HELLO, headers=KEY)
    assert made.status_code == 200
    assert made.json()["content"] == [{"type": "text", "text": "one two"}]
    assert made.headers["request-id"] == made.headers["x-request-id"]


@pytest.mark.parametrize("prefix", PREFIXES)
async def test_tokens_are_counted(http: httpx.AsyncClient, prefix: str) -> None:
    body = {name: HELLO[name] for name in ("model", "messages")}
    path = f"{prefix}/v1/messages/count_tokens?beta=true"
    assert (await http.post(path, json=body, headers=KEY)).json() == {"input_tokens": 2}


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "kind"),
    [
        ("POST", "/v1/messages", HELLO, {}, 401, "authentication_error"),
        ("POST", "/anthropic/v1/messages", HELLO, {}, 401, "authentication_error"),
        ("GET", "/anthropic/v1/models", None, {}, 401, "authentication_error"),
        ("GET", "/anthropic/v1/nowhere", None, KEY, 404, "not_found_error"),
        ("GET", "/anthropic", None, KEY, 404, "not_found_error"),
        ("POST", "/v1/messages/batches", HELLO, KEY, 404, "not_found_error"),
        ("GET", "/v1/messages", None, KEY, 405, "invalid_request_error"),
        ("POST", "/v1/messages", "x" * 30_000, KEY, 413, "request_too_large"),
        ("POST", "/anthropic/v1/messages", "x" * 30_000, KEY, 413, "request_too_large"),
        ("GET", "/anthropic/v1/models/nobody", None, KEY, 404, "not_found_error"),
    ],
)
async def test_errors_are_told_as_the_protocol_does(
    http: httpx.AsyncClient,
    method: str,
    path: str,
    body: Any,
    headers: dict[str, str],
    status: int,
    kind: str,
) -> None:
    made = await http.request(method, path, json=body, headers=headers)
    told = made.json()
    assert (made.status_code, told["type"], told["error"]["type"]) == (status, "error", kind)
    assert told["request_id"] == made.headers["request-id"]


async def test_paths_of_others_keep_their_form(http: httpx.AsyncClient) -> None:
    assert (await http.get("/v1/models", headers=KEY)).json()["object"] == "list"
    assert (await http.get("/v1/models/org/echo", headers=KEY)).json()["object"] == "model"
    lost = await http.get("/anthropicish", headers=KEY)
    assert "detail" in lost.json()


async def test_version_alone_makes_a_shared_path_answer_in_pages(http: httpx.AsyncClient) -> None:
    made = await http.get("/v1/models", headers={**KEY, "anthropic-version": "x"})
    assert [model["id"] for model in made.json()["data"]] == ["org/echo"]
    assert made.json()["has_more"] is False


ASKED = b'{"model": "org/echo", "max_tokens": 9, "messages": '
ONE = b'[{"role": "user", "content": '

BODIES = {
    "nothing": b"",
    "no JSON": b"{",
    "no object": b"[]",
    "half a letter": ASKED + ONE + b'"\\ud800"}]}',
    "no number": b'{"model": "org/echo", "max_tokens": 9, "temperature": NaN, "messages": []}',
    "huge number": b'{"model": "org/echo", "max_tokens": 9223372036854775808, "messages": '
    b'[{"role": "user", "content": "x"}]}',
    "depth": b'{"messages": ' + b"[" * 9_000,
    "deep blocks": ASKED
    + ONE
    + b'[{"type": "tool_result", "content": ' * 300
    + b'"x"'
    + b"}]" * 300
    + b"}]}",
    "unknown role": ASKED + b'[{"role": "wizard", "content": "x"}]}',
    "model that does not chat": b'{"model": "vectors", "max_tokens": 9, "messages": '
    b'[{"role": "user", "content": "x"}]}',
}


@pytest.mark.parametrize("name", BODIES)
async def test_bad_bodies_are_refused_with_400(http: httpx.AsyncClient, name: str) -> None:
    made = await http.post("/v1/messages", content=BODIES[name], headers=KEY)
    assert made.status_code == 400
    assert made.json()["error"]["type"] == "invalid_request_error"


async def test_stream_has_each_event_in_its_place(http: httpx.AsyncClient) -> None:
    made = await http.post("/v1/messages", json={**HELLO, "stream": True}, headers=KEY)
    assert made.headers["content-type"].startswith("text/event-stream")
    assert made.headers["request-id"] == made.headers["x-request-id"]
    told = events(made.text)
    assert [event["type"] for event in told] == [
        "message_start", "ping", "content_block_start", "content_block_delta",
        "content_block_delta", "content_block_stop", "message_delta", "message_stop",
    ]  # fmt: skip
    assert told[0]["message"]["usage"]["input_tokens"] == 2


async def test_stream_that_fails_ends_with_an_error(http: httpx.AsyncClient) -> None:
    said = [{"role": "user", "content": "one !fail"}]
    body = {**HELLO, "messages": said, "stream": True}
    made = await http.post("/v1/messages", json=body, headers=KEY)
    *before, last = events(made.text)
    assert (last["type"], last["error"]["type"]) == ("error", "api_error")
    assert last["error"]["details"]["error_code"] == "engine_failed"
    assert last["request_id"] == made.headers["request-id"]
    assert "message_stop" not in [event["type"] for event in before]


async def test_failure_before_the_first_piece_is_an_answer(http: httpx.AsyncClient) -> None:
    said = [{"role": "user", "content": "!fail"}]
    body = {**HELLO, "messages": said, "stream": True}
    made = await http.post("/v1/messages", json=body, headers=KEY)
    assert (made.status_code, made.json()["error"]["type"]) == (500, "api_error")
