from __future__ import annotations

from pathlib import Path

import pytest
from fix_house import house
from fix_replicas import until
from msgspec.structs import replace

from stelae.errors import InvalidInput, ModelNotFound
from stelae.service.store import Store
from stelae.types import Autostart, LaunchCall, Stage


def plan(uid: str | None = "mine", model: str = "fake", **more: object) -> Autostart:
    secret = {"HF_TOKEN": "hf_secret"} if more.pop("secret", False) else {}
    launch = LaunchCall(model=model, uid=uid, environment=secret)
    return Autostart(**{"launch": launch, "retries": 0, **more})


async def test_a_model_is_launched_when_the_server_starts(tmp_path: Path) -> None:
    async with house(store=Store(tmp_path)) as made:
        await made.autostarts.put(plan())
        await made.autostarts.put(plan("off", enabled=False))
        assert not made.launches.has("mine")
    async with house(store=Store(tmp_path)) as made:
        await made.start()
        await until(lambda: made.launches.has("mine"))
        assert (await made.launches.ready("mine")).stage is Stage.READY
        assert not made.launches.has("off")


async def test_they_are_launched_in_the_order_of_their_priority(tmp_path: Path) -> None:
    async with house(store=Store(tmp_path)) as made:
        for uid, priority in (("third", 300), ("first", 1), ("second", 20)):
            await made.autostarts.put(plan(uid, priority=priority))
        assert [p.launch.uid for p in made.autostarts.all()] == ["first", "second", "third"]
    async with house(store=Store(tmp_path)) as made:
        await made.start()
        await until(lambda: made.launches.has("third"))
        assert [info.uid for info in made.launches.all()] == ["first", "second", "third"]


async def test_one_that_fails_keeps_no_other_from_starting(tmp_path: Path) -> None:
    async with house(store=Store(tmp_path)) as made:
        failing = plan("bad", "broken", priority=1, retries=1, retry_seconds=0.001)
        await made.autostarts.put(failing)
        await made.autostarts.put(plan())
    async with house(store=Store(tmp_path)) as made:
        await made.start()
        await until(lambda: made.launches.has("mine"))
        assert made.launches.info("bad").stage is Stage.FAILED
        assert made.fleet.ready().ready


async def test_what_is_removed_is_launched_no_more(tmp_path: Path) -> None:
    async with house(store=Store(tmp_path)) as made:
        await made.autostarts.put(plan())
        await made.autostarts.remove("mine")
        with pytest.raises(ModelNotFound):
            made.autostarts.get("mine")
        with pytest.raises(ModelNotFound):
            await made.autostarts.remove("mine")
    assert Store(tmp_path).exists


async def test_secrets_are_not_told_and_are_not_lost(tmp_path: Path) -> None:
    async with house(store=Store(tmp_path)) as made:
        told = await made.autostarts.put(plan(secret=True))
        assert told.launch.environment == {"HF_TOKEN": "***"}
        await made.autostarts.put(told)
        assert made.autostarts._plans["mine"].launch.environment == {"HF_TOKEN": "hf_secret"}
        with pytest.raises(InvalidInput, match="HF_TOKEN"):
            await made.autostarts.put(replace(told, launch=replace(told.launch, uid="other")))


@pytest.mark.parametrize(
    "wrong",
    [
        plan(None),
        plan("mine-rep1"),
        plan(retries=-1),
        plan(retries=10**9),
        plan(retry_seconds=0.0),
        plan(retry_seconds=float("inf")),
        Autostart(launch=LaunchCall(model="fake", uid="mine", replicas=0)),
    ],
)
async def test_what_makes_no_sense_is_refused(wrong: Autostart, tmp_path: Path) -> None:
    async with house(store=Store(tmp_path)) as made:
        with pytest.raises(InvalidInput):
            await made.autostarts.put(wrong)
        assert made.autostarts.all() == []


async def test_what_no_launch_would_take_is_refused(tmp_path: Path) -> None:
    async with house(store=Store(tmp_path)) as made:
        with pytest.raises(ModelNotFound):
            await made.autostarts.put(plan(model="no-such-model"))
        with pytest.raises(InvalidInput, match="no checkpoint"):
            await made.autostarts.put(plan(model=str(tmp_path)))
        assert made.autostarts.all() == []
