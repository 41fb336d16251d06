"""Workers and pools through our own client, with and without ``await``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from live import Live, live

from stelae import AsyncClient, Client
from stelae.errors import InvalidInput, PoolNotFound, Provisioning
from stelae.types import PoolState


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Live]:
    async with live(cluster={"machine_profiles": ["l4"]}) as running:
        yield running


async def test_capacity_is_told_by_kind_of_machine(server: Live) -> None:
    async with AsyncClient(server.url, model="fake") as client:
        seen = await client.capacity()
        assert [worker.profile for worker in seen.workers] == ["cpu"]
        assert seen.profiles == ("cpu", "l4")
        assert len((await client.capacity("CPU")).workers) == 1
        assert not (await client.capacity("l4")).workers
        waited = await client.wait_for_capacity("cpu", model="fake", timeout=20.0)
        assert waited.workers[0].healthy
        with pytest.raises(Provisioning, match="no worker of the kind 'l4'"):
            await client.wait_for_capacity("l4", timeout=0.2, poll_interval=0.05)


async def test_pool_is_made_used_renewed_and_forgotten(server: Live) -> None:
    async with AsyncClient(server.url, model="fake", retries=0) as client:
        assert await client.get_pool("mine") is None
        assert not await client.delete_pool("mine")
        with pytest.raises(PoolNotFound):
            await client.encode("a", gpu="mine/cpu")
        pool = await client.create_pool("mine", {"cpu": 1}, ttl_seconds=60.0)
        assert (pool.state, pool.spec.ttl_seconds) == (PoolState.ACTIVE, 60.0)
        assert (await client.encode("a", gpu="Mine/CPU")).dense.shape == (384,)
        used = await client.get_pool("mine")
        assert used is not None
        assert used.last_renewed > pool.last_renewed
        assert (await client.renew_pool("mine")).last_renewed > used.last_renewed
        assert (await client.score("a", ["a"], gpu="mine/")).scores.tolist() == [1.0]
        assert await client.delete_pool("mine")
        with pytest.raises(PoolNotFound):
            await client.renew_pool("mine")
        with pytest.raises(Provisioning):
            await client.encode("a", gpu="l4")
        with pytest.raises(InvalidInput):
            await client.encode("a", gpu="none")
        with pytest.raises(InvalidInput, match="an argument of create_pool"):
            # A text for a count, which the types forbid and untyped callers send.
            await client.create_pool("mine", {"cpu": "many"})  # type: ignore[dict-item]


async def test_the_same_without_await(server: Live) -> None:
    def use() -> None:
        with Client(server.url, model="fake") as client:
            client.create_pool("mine", {"cpu": 1})
            assert client.wait_for_capacity("cpu").workers
            assert client.encode("a", gpu="mine/cpu").dense.shape == (384,)
            assert client.delete_pool("mine")

    await asyncio.to_thread(use)
