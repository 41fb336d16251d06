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


async def test_history_tells_what_launches_it_again() -> None:
    async with serving() as http:
        body = {**BODY, "model_uid": "mine", "request_limits": 3}
        assert (await http.post("/v1/models", json=body)).status_code == 200
        (told,) = (await http.get("/v1/launch_history", params={"model_name": "fake"})).json()
        assert (told["model_uid"], told["autostart_enabled"]) == ("mine", False)
        assert told["data"]["request_limits"] == 3
        assert (await http.get("/v1/launch_history?model_name=other")).json() == []
        again = {**told["data"], "model_uid": "again"}
        assert (await http.post("/v1/models", json=again)).json() == {"model_uid": "again"}
        await http.post("/v1/autostart/models", json={**BODY, "model_uid": "again"})
        told = (await http.get("/v1/launch_history")).json()
        starts = {one["model_uid"]: one["autostart_enabled"] for one in told}
        assert starts == {"mine": False, "again": True}
        assert (await http.delete("/v1/launch_history/fake/mine")).status_code == 403
        assert (await http.post("/v1/launch_history", json=told[0])).status_code == 403
