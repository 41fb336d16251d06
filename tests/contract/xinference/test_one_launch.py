"""Whoever launches a model, it is the same thing: seen, asked and taken down by all others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from live import Live, live

from stelae import AsyncClient
from stelae.errors import Conflict, ModelNotFound
from stelae.xinference import AsyncClient as XinferenceClient
from stelae.xinference import AsyncEmbeddingModelHandle, XinferenceError


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Live]:
    async with live() as running:
        yield running


async def test_models_launched_by_one_client_are_those_of_the_other(server: Live) -> None:
    async with AsyncClient(server.url) as ours, XinferenceClient(server.url) as theirs:
        uid = await theirs.launch_model("fake", "embedding", model_uid="theirs", replica=2)
        (seen,) = await ours.list_models()
        assert (seen.uid, seen.call.kind, len(seen.replicas)) == ("theirs", "embedding", 2)
        await ours.launch_model("fake", uid="ours")
        assert {uid, "ours"} <= (await theirs.list_models()).keys()
        handle = await theirs.get_model("ours")
        assert isinstance(handle, AsyncEmbeddingModelHandle)
        made = await handle.create_embedding("a")
        (row,) = made["data"]
        dense = (await ours.encode("a", model="theirs")).dense
        assert row["embedding"] == pytest.approx(dense.tolist(), rel=1e-6)
        await ours.remove_replica("theirs", 0)
        assert (await theirs.describe_model("theirs"))["replica"] == 1
        await ours.terminate_model("theirs")
        await theirs.terminate_model("ours")
        assert await ours.list_models() == []
        with pytest.raises(ModelNotFound):
            await ours.get_model("ours")
        with pytest.raises(XinferenceError) as raised:
            await theirs.get_model("theirs")
        assert (raised.value.status, raised.value.code) == (404, "model_not_found")


async def test_of_two_launches_of_one_uid_one_wins_whoever_asks(server: Live) -> None:
    async with AsyncClient(server.url) as ours, XinferenceClient(server.url) as theirs:
        ended = await asyncio.gather(
            ours.launch_model("fake", uid="mine"),
            theirs.launch_model("fake", "embedding", model_uid="mine"),
            return_exceptions=True,
        )
        (refused,) = [each for each in ended if isinstance(each, Exception)]
        assert isinstance(refused, Conflict | XinferenceError)
        assert refused.code == "conflict"
        assert [info.uid for info in await ours.list_models()] == ["mine"]
