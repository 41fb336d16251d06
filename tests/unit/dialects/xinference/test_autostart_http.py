from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from fix_house import house

from stelae.config import Settings
from stelae.server.app import build_app

BODY = {"model_name": "fake", "model_type": "embedding"}


@asynccontextmanager
async def serving() -> AsyncIterator[httpx.AsyncClient]:
    async with house() as made:
        edge = build_app(Settings(), made, listen=["http://127.0.0.1:9997"]).edge
        transport = httpx.ASGITransport(edge)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:9997") as http:
            yield http


@pytest.mark.parametrize("wrapped", [True, False])
async def test_an_autostart_tells_back_what_means_nothing_here(wrapped: bool) -> None:
    launch = {**BODY, "model_uid": "mine", "n_worker": 2}
    async with serving() as http:
        body = {"launch": launch} if wrapped else launch
        told = await http.post("/v1/autostart/models", json=body)
        assert told.status_code == 200
        assert told.headers["X-Stelae-Ignored"] == "'n_worker'"


async def test_an_autostart_of_a_model_that_there_is_not_is_refused() -> None:
    async with serving() as http:
        body = {"launch": {**BODY, "model_name": "no-such-model"}}
        told = await http.post("/v1/autostart/models", json=body)
        assert (told.status_code, told.json()["error"]["param"]) == (400, "model_name")
        assert (await http.get("/v1/autostart/models")).json()["models"] == []


@pytest.mark.parametrize("name", ["n_ctx", "context_length", "max_model_len"])
@pytest.mark.parametrize("wrapped", [True, False])
async def test_a_length_that_cannot_be_is_refused_by_the_name_it_was_given(
    name: str, wrapped: bool
) -> None:
    launch = {**BODY, "model_uid": "mine", name: 0}
    async with serving() as http:
        told = await http.post(
            "/v1/autostart/models", json={"launch": launch} if wrapped else launch
        )
        assert (told.status_code, told.json()["error"]["param"]) == (400, name)
        assert told.json()["detail"].startswith(name)
