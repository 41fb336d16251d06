"""What ``stelae.sie`` tells of models: the entries of SIE's protocol."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from live import FAKE, Live, live

from stelae.sie import (
    ModelInfo,
    ModelLoadFailedError,
    RequestError,
    SIEAsyncClient,
    SIEClient,
    SIEConnectionError,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Live]:
    folder = tmp_path_factory.mktemp("none") / "absent"
    models = {
        "fake": {**FAKE, "aliases": ["org/fake"], "profiles": {"short": {"dimensions": 64}}},
        "absent": {"source": str(folder)},
    }
    async with live(models=models) as made:
        await made.house.fleet.load("fake")
        yield made


async def test_an_entry_has_all_that_the_protocol_tells(server: Live) -> None:
    async with SIEAsyncClient(server.url) as client:
        info = await client.get_model("fake")
    assert info.keys() == ModelInfo.__annotations__.keys()
    assert (info["state"], info["loaded"], info["last_error"]) == ("loaded", True, None)
    assert info["aliases"] == ["org/fake"]
    assert info["profiles"] == {"default": {"is_default": True}, "short": {"is_default": False}}


async def test_a_model_is_found_by_an_alias_and_with_a_profile(server: Live) -> None:
    async with SIEAsyncClient(server.url) as client:
        assert (await client.get_model("org/fake"))["name"] == "fake"
        short = await client.get_model("fake:short")
    assert short["name"] == "fake:short"
    assert short["dims"]["dense"] == 64


async def test_the_list_has_each_profile_as_a_model(server: Live) -> None:
    async with SIEAsyncClient(server.url) as client:
        listed = await client.list_models()
        one = await client.get_model("fake:short")
    names = {info["name"] for info in listed}
    assert {"fake", "fake:short", "absent"} <= names
    assert one in listed


async def test_an_entry_says_why_its_model_could_not_be_loaded(server: Live) -> None:
    async with SIEAsyncClient(server.url) as client:
        with pytest.raises(ModelLoadFailedError):
            await client.encode("absent", {"text": "a"})
        info = await client.get_model("absent")
    assert (info["state"], info["loaded"]) == ("failed", False)
    assert info["last_error"] is not None
    assert info["last_error"]["code"] == "NOT_FOUND"
    assert info["last_error"]["permanent"] is True
    assert "no folder" in info["last_error"]["message"]


async def test_the_blocking_client_tells_the_same(server: Live) -> None:
    def told() -> tuple[ModelInfo, list[ModelInfo]]:
        with SIEClient(server.url) as client:
            return client.get_model("fake:short"), client.list_models()

    short, listed = await asyncio.to_thread(told)
    async with SIEAsyncClient(server.url) as client:
        assert await client.get_model("fake:short") == short
    assert short in listed


async def test_models_that_are_not_there_are_refused(server: Live) -> None:
    async with SIEAsyncClient(server.url) as client:
        for name, code, status in (
            ("none", "MODEL_NOT_FOUND", 404),
            ("fake:none", "INVALID_INPUT", 400),
        ):
            with pytest.raises(RequestError) as caught:
                await client.get_model(name)
            assert (caught.value.code, caught.value.status_code) == (code, status)
        with pytest.raises(RequestError, match="give the name of a model"):
            await client.get_model("")
    with pytest.raises(RuntimeError, match="closed"):
        await client.list_models()


async def test_without_a_server_there_is_no_connection() -> None:
    async with SIEAsyncClient("http://127.0.0.1:9") as client:
        with pytest.raises(SIEConnectionError):
            await client.list_models()
