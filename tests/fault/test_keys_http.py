"""A server with keys, asked in odd ways: nothing opens but what is meant to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from live import Live, live

from stelae.server.app import DIALECTS
from stelae.server.edge import OPEN_PLACES
from stelae.server.listeners import settle
from stelae.server.pages import pages

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY = "right-key"
ROUTES = [(c.operation.method, c.operation.path) for c in settle([*DIALECTS, pages(bytes)])]
OPEN_PATHS = {
    "/healthz", "/readyz", "/dry_run", "/openapi.json", "/status", "/token", "/v1/cluster/auth",
    "/v1/admin/setup/status", "/v1/auth/logout", "/v1/auth/refresh", "/v1/models/vllm-supported",
}  # fmt: skip
"""What is reached without a key: health, what the server is, and ways to get one."""

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Live]:
    async with live(api_keys=[KEY, "other-key"]) as running:
        yield running


async def raw(server: Live, request: bytes) -> int:
    """Status of the answer to bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
    writer.write(request)
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    return int(answer.split(b" ", 2)[1])


CLOSED = {path for _, path in ROUTES if not path.startswith(OPEN_PLACES)} - OPEN_PATHS


@pytest.mark.parametrize("path", sorted(CLOSED))
async def test_every_route_needs_a_key_whatever_the_method(path: str, server: Live) -> None:
    path = path.replace("{id:path}", "fake").replace("{name:path}", "fake")
    async with httpx.AsyncClient(base_url=server.url) as http:
        for method in METHODS:
            assert (await http.request(method, path)).status_code == 401


async def test_open_paths_are_those_marked_open() -> None:
    claims = settle([*DIALECTS, pages(bytes)])
    marked = {claim.operation.path for claim in claims if claim.open}
    assert {path for path in marked if not path.startswith(OPEN_PLACES)} == OPEN_PATHS
    assert all(any(path.startswith(place) for path in marked) for place in OPEN_PLACES)
    assert all(claim.open for claim in claims if claim.operation.path in marked)


@pytest.mark.parametrize("path", ["/v1/refs/../models", "/v1/refs/%2e%2e/models", "/v1/refs/x/y/0"])
async def test_secret_addresses_lead_nowhere_else(path: str, server: Live) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    assert await raw(server, request.encode()) == 404


@pytest.mark.parametrize(
    "target",
    [
        b"//v1/models", b"/v1/models/", b"/healthz/../v1/models", b"/healthz/..%2fv1/models",
        b"/healthz%2f..%2fv1%2fmodels", b"/healthz;/v1/models", b"/v1/models?key=right-key",
        b"/v1/models?path=/healthz", b"/v1%2fmodels", b"/./v1/models", b"http://x/v1/models",
        b"http://x/healthz/../v1/models", b"/v1/models#/healthz", b"*", b"/healthz/",
    ],
)  # fmt: skip
async def test_odd_targets_open_nothing(target: bytes, server: Live) -> None:
    request = b"GET " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert await raw(server, request) in {400, 401}


@pytest.mark.parametrize(
    "headers",
    [
        b"Authorization: right-key more",
        b"Authorization: Basic right-key",
        b"Authorization: Bearer wrong",
        b"Authorization: Bearer right-key,other-key",
        b"Authorization: Bearer right-key\r\nAuthorization: Bearer wrong",
        b"X-API-Key: wrong",
        b"X-API-Key: right-key\r\nX-API-Key: right-key",
        b"X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Prefix: /healthz\r\nX-Original-URL: /healthz",
        b"Cookie: key=right-key",
        b"Authorization: Bearer \xc3\xa9\xff",
        b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13",
        b"Authorization: Bearer " + b"x" * 1_000_000,
    ],
    ids=lambda value: repr(value)[:50],
)
async def test_odd_keys_open_nothing(headers: bytes, server: Live) -> None:
    head = b"GET /v1/models HTTP/1.1\r\nHost: x/healthz?\r\nConnection: close\r\n"
    assert await raw(server, head + headers + b"\r\n\r\n") in {400, 401}


@pytest.mark.parametrize("scheme", [b"Bearer", b"bearer", b"BEARER"])
async def test_right_key_opens(scheme: bytes, server: Live) -> None:
    head = b"GET /v1/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: "
    assert await raw(server, head + scheme + b" right-key\r\n\r\n") == 200


async def test_body_is_not_read_without_a_key(server: Live) -> None:
    head = b"POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    assert await raw(server, head + b"Content-Length: 60000000\r\n\r\n") == 401
