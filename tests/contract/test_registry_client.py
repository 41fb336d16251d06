"""What can be launched, and registrations, through our own client, with and without ``await``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from live import Live, live

import stelae
from stelae import AsyncClient, Client
from stelae.errors import Conflict, Forbidden, InvalidInput, ModelNotFound, NotFound
from stelae.types import Registration, Weights


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Live]:
    async with live() as running:
        yield running


def notes(zoo: Path, **more: Any) -> Registration:
    source = str(zoo / "bert-mean")
    return Registration(
        **{
            "name": "notes",
            "kind": "embedding",
            "weights": (Weights(source=source),),
            "dimensions": 32,
            "languages": ("en",),
            **more,
        }
    )


async def test_model_is_registered_launched_and_forgotten(server: Live, zoo: Path) -> None:
    async with AsyncClient(server.url, retries=0) as client:
        card = await client.register_model(notes(zoo), persist=False)
        assert (card.name, card.kind, card.builtin, card.dimensions) == (
            *("notes", "embedding", False, 32),
        )
        assert await client.registrations() == [notes(zoo)]
        assert await client.registrations("rerank") == []
        assert await client.card("notes") == card
        assert card in await client.cards("embedding")
        await client.launch_model("notes", uid="mine")
        assert (await client.encode("a", model="mine")).dense.ndim == 1
        assert await client.unregister_model("notes") == notes(zoo)
        assert await client.registrations() == []
        assert (await client.encode("a", model="mine")).dense.ndim == 1
        with pytest.raises(ModelNotFound):
            await client.unregister_model("notes")


async def test_well_known_models_are_told_and_stay(server: Live) -> None:
    async with AsyncClient(server.url, retries=0) as client:
        names = {card.name for card in await client.cards("llm")}
        assert {"qwen3", "glm4-chat", "chatglm3", "baichuan-2-chat"} <= names
        card = await client.card("bge-small-en-v1.5")
        assert (card.builtin, card.dimensions) == (True, 384)
        weights = (Weights(source="org/other"),)
        other = Registration(name="bge-small-en-v1.5", kind="embedding", weights=weights)
        with pytest.raises(Conflict):
            await client.register_model(other)
        with pytest.raises(Forbidden):
            await client.unregister_model("bge-small-en-v1.5")


async def test_engines_say_what_they_serve(server: Live, zoo: Path) -> None:
    async with AsyncClient(server.url, retries=0) as client:
        await client.register_model(notes(zoo), persist=False)
        fits = {fit.engine: fit for fit in await client.engines("notes")}
        assert fits["encoder"].variants
        assert all(fit.variants or fit.reason for fit in fits.values())
        with pytest.raises(ModelNotFound):
            await client.engines("no-such-model")


async def test_files_that_are_here_are_listed_and_removed_by_version(server: Live) -> None:
    async with AsyncClient(server.url, retries=0) as client:
        assert isinstance(await client.cached_models(), list)
        assert await client.cached_models("no-such-model") == []
        with pytest.raises(NotFound):
            await client.remove_cached("no-such-version")


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"name": "notes", "kind": "smell", "weights": []},
        {"name": "notes", "kind": "embedding", "weights": []},
        {"name": "notes", "kind": "embedding", "weights": [{"source": "a/b", "colour": 1}]},
        {"name": "notes", "kind": "embedding", "weights": [{"source": "a/b"}], "colour": 1},
    ],
)
async def test_registrations_that_make_no_sense_are_refused(
    given: dict[str, Any], server: Live
) -> None:
    async with AsyncClient(server.url, retries=0) as client:
        with pytest.raises(InvalidInput):
            await client.register_model(given)
        assert await client.registrations() == []


@pytest.mark.parametrize("name", ["", "/", None, "\udc80"])
async def test_names_that_are_none_are_refused(name: Any, server: Live) -> None:
    async with AsyncClient(server.url, retries=0) as client:
        for ask in (client.card, client.unregister_model, client.engines, client.launched):
            with pytest.raises(InvalidInput):
                await ask(name)
        with pytest.raises(InvalidInput, match="known are llm"):
            await client.cards("smell")  # type: ignore[arg-type]  # wrong on purpose


async def test_the_same_without_await(server: Live, zoo: Path) -> None:
    def use() -> None:
        with Client(server.url) as client:
            weights = [{"source": str(zoo / "bert-mean")}]
            asked = {"name": "notes", "kind": "embedding", "weights": weights}
            assert not client.register_model(asked, persist=False).builtin
            assert [one.name for one in client.registrations()] == ["notes"]
            assert client.unregister_model("notes").name == "notes"

    await asyncio.to_thread(use)


def test_models_of_this_process_are_registered_there(zoo: Path) -> None:
    with stelae.local(zoo / "bert-mean") as client:
        client.register_model(notes(zoo))
        assert client.registrations("embedding") == [notes(zoo)]
        assert client.card("notes") in client.cards()
        assert client.engines("notes")
        assert client.cached_models("no-such-model") == []
        client.launch_model("notes", uid="mine")
        assert client.unregister_model("notes").name == "notes"
        with pytest.raises(NotFound):
            client.remove_cached("no-such-version")
    with stelae.local(zoo / "bert-mean") as client:
        assert client.registrations() == []
