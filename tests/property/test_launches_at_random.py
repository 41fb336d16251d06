"""Launches, cancellations, terminations and replicas in any order and at once: nothing is left."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress

import pytest
from fix_house import encode, house
from fix_replicas import until

from stelae.errors import ModelNotFound, StelaeError
from stelae.service.house import House
from stelae.types import LaunchCall

UIDS = ("one", "two", "fake")
NAMES = ("load-", "launch-", "terminate-", "add-", "record-")


def under_way() -> list[str]:
    """Tasks that bring models up or take them down."""
    names = [task.get_name() for task in asyncio.all_tasks()]
    return [name for name in names if name.startswith(NAMES)]


async def act(made: House, draw: random.Random) -> str:
    """Do something at random; what comes of it, in a word."""
    uid, launches = draw.choice(UIDS), made.launches
    call = LaunchCall(
        model=draw.choice(["fake", "fake", "other", "broken"]),
        uid=uid,
        replicas=draw.choice([1, 2]),
        calls=draw.choice([None, 2]),
    )
    deeds = {
        "launch": lambda: launches.launch(call),
        "ready": lambda: launches.ready(uid),
        "cancel": lambda: launches.cancel(uid),
        "terminate": lambda: launches.terminate(uid),
        "add": lambda: launches.add_replica(uid),
        "remove": lambda: launches.remove_replica(uid, draw.choice([0, 1])),
        "call": lambda: encode(made, "text", model=uid),
        "unload": lambda: made.fleet.unload(uid),
    }
    name = draw.choice([*deeds, "launch", "call"])
    for _ in range(draw.choice([0, 0, 1, 5])):
        await asyncio.sleep(0)
    try:
        async with asyncio.timeout(draw.choice([None, None, 0.001, 0.05])):
            await deeds[name]()
    except TimeoutError:
        return f"{name} left"
    except StelaeError as error:
        return f"{name} {error.code}"
    return name


@pytest.mark.parametrize("seed", range(4))
async def test_nothing_is_left_of_launches_in_any_order(seed: int) -> None:
    draw = random.Random(seed)
    async with house() as made:
        names = made.inference._deployments.catalog.names()
        said: set[str] = set()
        for _ in range(6):
            said |= set(await asyncio.gather(*(act(made, draw) for _ in range(15))))
        for info in made.launches.all():
            assert all(replica.number < 64 for replica in info.replicas)
            with suppress(ModelNotFound):  # it failed by now
                await made.launches.terminate(info.uid)
        assert not [each for each in said if each.endswith("internal_error")]
        assert made.launches.all() == []
        for name in UIDS:
            if name in names:
                await made.fleet.unload(name)
        assert list(made.inference._deployments.controller.replicas()) == []
        assert sorted(made.inference._deployments.catalog.names()) == sorted(names)
        await until(lambda: not under_way())
        assert await asyncio.to_thread(made.launches._kept.all) == []
