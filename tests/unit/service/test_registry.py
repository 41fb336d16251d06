from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from fix_house import encode, house

from stelae.errors import Conflict, Forbidden, InvalidInput, ModelNotFound, StelaeError
from stelae.service.house import House
from stelae.service.keepsakes import Keepsakes
from stelae.service.registry import Registry
from stelae.service.store import Store
from stelae.types import LaunchCall, Registration, Weights

MINE = Registration(
    name="mine",
    kind="llm",
    weights=(Weights(source="org/repo", size=7.0),),
    languages=("en", "zh"),
    abilities=("chat",),
    extra={"kept": [1, None]},
)


@asynccontextmanager
async def registry(folder: Path) -> AsyncIterator[Registry]:
    made: House
    async with house(store=Store(folder)) as made:
        await made.registry.start()
        yield made.registry


async def test_registration_outlives_the_server(tmp_path: Path) -> None:
    async with registry(tmp_path) as first:
        card = await first.register(MINE)
        assert (card.name, card.builtin, card.abilities) == ("mine", False, ("chat",))
    async with registry(tmp_path) as second:
        assert second.registration("mine") == MINE
        assert [each.name for each in second.registrations("llm")] == ["mine"]
        assert second.registrations("audio") == []
        await second.unregister("mine", "llm")
    async with registry(tmp_path) as third:
        assert third.registrations() == []


async def test_a_chat_template_that_is_none_is_refused(tmp_path: Path) -> None:
    async with registry(tmp_path) as made:
        for broken in ("{% for %}", "{{ a", "{{ a | nothing }}"):
            wrong = msgspec.structs.replace(MINE, chat_template=broken)
            with pytest.raises(InvalidInput, match="it is not understood") as caught:
                await made.register(wrong)
            assert (caught.value.param, made.registrations()) == ("chat_template", [])
        right = "{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}"
        await made.register(msgspec.structs.replace(MINE, chat_template=right))


async def test_registration_is_forgotten_where_nobody_asked_to_keep_it(tmp_path: Path) -> None:
    async with registry(tmp_path) as first:
        await first.register(MINE, persist=False)
        assert first.card("mine").builtin is False
    async with registry(tmp_path) as second:
        with pytest.raises(ModelNotFound):
            second.registration("mine")
    assert not (tmp_path / "store.sqlite").exists()


async def test_of_two_registrations_of_a_name_one_wins(tmp_path: Path) -> None:
    async with registry(tmp_path) as made:
        answers = await asyncio.gather(
            made.register(MINE), made.register(MINE), return_exceptions=True
        )
        assert sorted(isinstance(answer, Conflict) for answer in answers) == [False, True]
        assert made.registration("mine") == MINE


async def test_registration_that_cannot_be_kept_is_not_made(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    async with registry(blocked) as made:
        with pytest.raises(StelaeError, match="store"):
            await made.register(MINE)
        assert made.registrations() == []


async def test_folder_without_a_checkpoint_is_not_registered(tmp_path: Path) -> None:
    bad = Registration(name="bad", kind="llm", weights=(Weights(source="/etc"),))
    async with registry(tmp_path) as made:
        with pytest.raises(InvalidInput, match="no checkpoint"):
            await made.register(bad)
        assert made.registrations() == []


async def test_kept_document_that_is_none_is_left_out(tmp_path: Path) -> None:
    async with registry(tmp_path) as first:
        await first.register(MINE)
    with sqlite3.connect(tmp_path / "store.sqlite") as database:
        database.execute(
            "INSERT INTO keepsakes VALUES ('registration', 'broken', 0, ?)", (b'{"name": 1}',)
        )
    async with registry(tmp_path) as second:
        assert [each.name for each in second.registrations()] == ["mine"]


async def test_models_are_looked_for_by_kind(tmp_path: Path) -> None:
    async with registry(tmp_path) as made:
        await made.register(MINE)
        assert made.card("bge-m3", "embedding").builtin
        names = [card.name for card in made.cards("llm")]
        assert "mine" in names
        assert names == sorted(names, key=str.casefold)
        with pytest.raises(ModelNotFound, match="'audio'"):
            made.card("mine", "audio")
        with pytest.raises(ModelNotFound):
            await made.unregister("mine", "audio")


async def test_well_known_models_stay(tmp_path: Path) -> None:
    async with registry(tmp_path) as made:
        with pytest.raises(Forbidden):
            await made.unregister("bge-m3")
        with pytest.raises(ModelNotFound):
            await made.unregister("nobody")


async def test_second_server_of_a_store_registers_what_need_not_last(tmp_path: Path) -> None:
    async with registry(tmp_path) as first:
        await first.register(MINE)
        async with registry(tmp_path) as second:
            assert second.registrations() == []  # the log says why
            with pytest.raises(Conflict, match="another server"):
                await second.register(MINE)
            await second.register(MINE, persist=False)
            await second.unregister("mine")
        assert first.registration("mine") == MINE


async def test_kept_models_come_once_the_server_before_lets_the_store_go(tmp_path: Path) -> None:
    before = Store(tmp_path)
    Keepsakes(before, "registration").keep("mine", msgspec.json.encode(MINE))
    async with registry(tmp_path) as made:
        assert made.registrations() == []
        assert not await made.take_up()
        before.close()
        assert await made.take_up()
        assert made.registrations() == [MINE]
        assert await made.take_up()


async def test_launches_find_registered_models_after_a_restart(zoo: Path, tmp_path: Path) -> None:
    folder = str(zoo / "bert-dense")
    vectors = Registration(name="vectors", kind="embedding", weights=(Weights(source=folder),))
    async with house(store=Store(tmp_path)) as made:
        await made.start()
        await made.registry.register(vectors)
        await made.launches.launch(LaunchCall(model="vectors", uid="ours"))
        await made.launches.ready("ours")
    async with house(store=Store(tmp_path)) as made:
        await made.start()
        await made.launches.ready("ours")
        assert (await encode(made, "a text", model="ours")).model == "ours"


async def test_registered_folder_is_served_under_its_name(zoo: Path, tmp_path: Path) -> None:
    folder = str(zoo / "bert-dense")
    vectors = Registration(name="vectors", kind="embedding", weights=(Weights(source=folder),))
    async with house(store=Store(tmp_path)) as made:
        await made.registry.register(vectors)
        found = await encode(made, "a text", model="vectors")
        assert found.model == "vectors"
        await made.registry.unregister("vectors")
        with pytest.raises(ModelNotFound):
            await encode(made, "a text", model="vectors")
