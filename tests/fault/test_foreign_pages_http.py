"""An open server on loopback, asked by the browser of somebody who visits a foreign page."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from live import Live, live

pytestmark = pytest.mark.asyncio(loop_scope="module")

BODY = b'{"model": "fake", "input": "text"}'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Live]:
    async with live() as running:
        yield running


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "rebound.example"},
        {"Origin": "https://page.example", "Content-Type": "text/plain"},
        {"Origin": "null"},
    ],
)
async def test_foreign_page_gets_no_vectors_and_unloads_nothing(
    server: Live, headers: dict[str, str]
) -> None:
    async with httpx.AsyncClient(base_url=server.url) as http:
        for path in ("/v1/embeddings", "/stelae/v1/models/fake/unload"):
            answer = await http.post(path, content=BODY, headers=headers)
            assert answer.status_code == 403
            assert answer.json()["error"]["code"] == "forbidden"
            assert "not this machine" in answer.json()["detail"]


async def test_page_of_this_machine_is_answered(server: Live) -> None:
    async with httpx.AsyncClient(base_url=server.url) as http:
        answer = await http.post("/v1/embeddings", content=BODY, headers={"Origin": server.url})
        assert answer.status_code == 200
