from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest
from fix_house import FAKE
from msgspec.structs import replace

from stelae.catalog.catalog import Catalog
from stelae.cluster.controller import Placement
from stelae.cluster.local import LocalController
from stelae.engines.fake.engine import vector
from stelae.errors import InvalidInput, LoraFailed, LoraLoading
from stelae.service.house import House, build
from stelae.service.inference import Caller
from stelae.types import EncodeCall, EncodeResult, Item, ScoreCall

LORAS = {"legal": "law", "slow": "!loading", "torn": "!fail"}
SOON = Caller(request_id="test", load_wait=0.05)


@asynccontextmanager
async def house() -> AsyncIterator[House]:
    """A house with a fake model that has adapters, and one that has none."""
    entries = [replace(FAKE, loras=LORAS), replace(FAKE, name="bare", aliases=())]
    made = build(Catalog(entries), LocalController(Placement.THREAD))
    try:
        for entry in entries:
            await made.fleet.load(entry.name)  # callers here wait for adapters, not for models
        yield made
    finally:
        await made.stop(0.0)


async def encode(made: House, lora: str | None, model: str = "fake") -> EncodeResult:
    """The vector of one text."""
    call = EncodeCall(model=model, items=[Item(text="a")], lora=lora)
    return await made.inference.encode(call, SOON)


async def test_an_adapter_changes_the_vector() -> None:
    async with house() as made:
        plain, adapted = await encode(made, None), await encode(made, "legal")
    np.testing.assert_array_equal(plain.dense, [vector("a", 384)])
    np.testing.assert_array_equal(adapted.dense, [vector("law a", 384)])


async def test_an_unknown_adapter_is_refused_with_those_there_are() -> None:
    async with house() as made:
        with pytest.raises(InvalidInput, match="it has legal, slow, torn") as caught:
            await encode(made, "/etc/passwd")
    assert caught.value.param == "lora"


async def test_a_model_without_adapters_says_so() -> None:
    async with house() as made:
        with pytest.raises(InvalidInput, match="'bare' has no such adapter; it has none"):
            await encode(made, "legal", model="bare")
        documents = [Item(text="d")]
        call = ScoreCall(model="bare", query=Item(text="q"), documents=documents, lora="legal")
        with pytest.raises(InvalidInput, match="it has none"):
            await made.inference.score(call, SOON)


async def test_an_adapter_that_keeps_loading_is_told_to_come_back_soon() -> None:
    async with house() as made:
        with pytest.raises(LoraLoading) as caught:
            await encode(made, "slow")
    assert caught.value.info.status == 503
    assert caught.value.retry_after is not None
    assert 0 < caught.value.retry_after < 1


async def test_an_adapter_that_cannot_be_loaded_is_the_servers_fault() -> None:
    async with house() as made:
        with pytest.raises(LoraFailed) as caught:
            await encode(made, "torn")
    assert (caught.value.info.code, caught.value.info.status) == ("lora_failed", 500)


async def test_a_model_tells_its_adapters() -> None:
    async with house() as made:
        assert made.fleet.model("fake").loras == ("legal", "slow", "torn")
        assert made.fleet.model("bare").loras == ()
