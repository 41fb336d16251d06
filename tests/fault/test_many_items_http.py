"""Requests of more items than one may have are refused, in the words of each protocol."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from live import live

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEXTS = ["a", "b", "c", "d"]
ITEMS = [{"text": text} for text in TEXTS]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with (
        live(limits={"items": 3}) as server,
        httpx.AsyncClient(base_url=server.url, verify=False) as client,  # noqa: S501  # no TLS here
    ):
        yield client


@pytest.mark.parametrize(
    ("path", "body", "name", "param"),
    [
        ("/stelae/v1/encode", {"items": ITEMS}, "items", "items"),
        (
            "/stelae/v1/score",
            {"query": {"text": "q"}, "documents": ITEMS},
            "documents",
            "documents",
        ),
        ("/v1/embeddings", {"input": TEXTS}, "input", "input"),
    ],
)
async def test_too_many_items_are_refused_and_as_many_as_may_be_answered(
    http: httpx.AsyncClient, path: str, body: dict[str, Any], name: str, param: str
) -> None:
    refused = await http.post(path, json={"model": "fake", **body})
    error = refused.json()["error"]
    assert (refused.status_code, error["code"], error["param"]) == (400, "invalid_input", param)
    assert "at most 3 are taken; send them in several requests" in error["message"]
    fewer = {**body, name: body[name][:3]}
    answer = await http.post(path, json={"model": "fake", **fewer})
    assert answer.status_code == 200, answer.text
