"""Workers that die behind a real server: what its clients see of it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from typing import Any

import httpx
import numpy as np
import pytest
from fix_replicas import pid_of
from live import FAKE, Live, live, until

from stelae.cluster.process import ProcessReplica
from stelae.engines.fake.engine import vector
from stelae.errors import PoisonInput


@pytest.fixture
async def server() -> AsyncIterator[Live]:
    async with live(models={"fake": FAKE, "other": FAKE}, placement="process") as running:
        await running.house.fleet.load("fake")
        yield running


@pytest.fixture
async def http(server: Live) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url, timeout=20.0) as client:
        yield client


def replica_of(server: Live, name: str) -> ProcessReplica:
    replica = server.house.fleet._deployments.replica(name)
    assert isinstance(replica, ProcessReplica)
    return replica


async def encode(http: httpx.AsyncClient, *texts: str, model: str = "fake") -> httpx.Response:
    body = {"model": model, "items": [{"text": text} for text in texts]}
    return await http.post("/stelae/v1/encode", json=body)


def right(answer: httpx.Response, *texts: str) -> None:
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    expected = [vector(text, 384) for text in texts]
    np.testing.assert_allclose(result["dense"], expected, rtol=0, atol=1e-7)


async def test_requests_under_way_when_the_worker_is_killed_are_answered(
    server: Live, http: httpx.AsyncClient
) -> None:
    replica = replica_of(server, "fake")
    asked = [asyncio.create_task(encode(http, "!sleep 0.05", f"t{i}")) for i in range(8)]
    await until(lambda: replica.in_flight >= 8)
    os.kill(pid_of(replica), signal.SIGKILL)
    for i, answer in enumerate(await asyncio.gather(*asked)):
        right(answer, "!sleep 0.05", f"t{i}")
    right(await encode(http, "next"), "next")
    assert b'stelae_worker_restarts_total{model="fake"} 1.0' in (await http.get("/metrics")).content


async def test_a_deadly_input_is_422_and_its_neighbours_are_answered(
    http: httpx.AsyncClient,
) -> None:
    poison = asyncio.create_task(encode(http, "!die"))
    answers = await asyncio.gather(*(encode(http, f"n{i}") for i in range(8)))
    for i, answer in enumerate(answers):
        right(answer, f"n{i}")
    refused = await poison
    assert refused.status_code == 422
    assert refused.json()["error"]["code"] == PoisonInput.code


async def test_other_models_see_nothing(server: Live, http: httpx.AsyncClient) -> None:
    await server.house.fleet.load("other")
    other = replica_of(server, "other")
    pid = pid_of(other)
    os.kill(pid_of(replica_of(server, "fake")), signal.SIGKILL)
    right(await encode(http, "quiet", model="other"), "quiet")
    right(await encode(http, "again"), "again")
    assert (pid_of(other), other.restarts) == (pid, 0)


async def test_readiness_is_lost_with_the_worker_and_comes_back(
    server: Live, http: httpx.AsyncClient
) -> None:
    assert (await http.get("/readyz")).status_code == 200
    replica = replica_of(server, "fake")
    os.kill(pid_of(replica), signal.SIGKILL)
    await until(lambda: replica.restarts == 1)
    assert (await http.get("/readyz")).status_code == 503
    await until(lambda: server.house.fleet.ready().ready)
    assert (await http.get("/readyz")).status_code == 200
