from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fix_house import Gate
from fix_hub import Hub, Repo, repo_of, running_hub
from fix_replicas import until

from stelae.catalog.catalog import Catalog
from stelae.catalog.hub import HubOptions
from stelae.errors import Cancelled, HubUnreachable
from stelae.service.fetching import Fetching
from stelae.service.house import House, build
from stelae.service.store import Store
from stelae.types import FileProgress, LaunchCall, Stage

CHAT = Path(__file__).parents[2] / "data" / "chat"
WEIGHTS = "model.safetensors"
CALL = LaunchCall(model="org/chat", uid="mine")


@pytest.fixture
def hub() -> Iterator[Hub]:
    with running_hub() as made:
        made.repos["org/chat"] = repo_of(CHAT)
        yield made
        for repo in made.repos.values():
            release(repo)


def release(repo: Repo) -> None:
    for event in repo.holds.values():
        event.set()


@asynccontextmanager
async def house_of(hub: Hub, cache: Path) -> AsyncIterator[tuple[House, Gate]]:
    gate = Gate()
    catalog = Catalog(hub=HubOptions(endpoint=hub.url, cache=str(cache)))
    made = build(catalog, gate, store=Store(cache / "store"))
    try:
        yield made, gate
    finally:
        await made.stop(0.0)


def fetching() -> bool:
    """Whether a thread reads or fetches a checkpoint."""
    return any(thread.name == "stelae-read" for thread in threading.enumerate())


async def test_a_launch_tells_what_comes_in_and_then_that_it_loads(
    hub: Hub, tmp_path: Path
) -> None:
    repo = hub.repos["org/chat"]
    repo.holds[WEIGHTS] = threading.Event()
    total = sum(len(data) for name, data in repo.files.items())
    async with house_of(hub, tmp_path) as (made, gate):
        await made.launches.launch(CALL)
        await until(lambda: made.launches.info("mine").stage is Stage.DOWNLOADING)
        await until(lambda: bool(made.launches.info("mine").files[0].done))
        info = made.launches.info("mine")
        assert [file.name for file in info.files] == ["org/chat"]
        assert info.files[0].done <= total - len(repo.files[WEIGHTS])
        assert 0.0 < info.progress < 0.8
        release(repo)
        await until(lambda: bool(gate.launches))
        info = made.launches.info("mine")
        assert (info.stage, info.files, info.progress) == (Stage.LOADING, (), 0.8)


async def test_a_download_that_is_cancelled_ends(hub: Hub, tmp_path: Path) -> None:
    repo = hub.repos["org/chat"]
    repo.holds[WEIGHTS] = threading.Event()
    async with house_of(hub, tmp_path) as (made, gate):
        await made.launches.launch(CALL)
        await until(lambda: made.launches.info("mine").stage is Stage.DOWNLOADING)
        assert (await made.launches.cancel("mine")).stage is Stage.CANCELLED
        assert made.launches.all() == []
        release(repo)
        await until(lambda: not fetching())
        assert "mine" not in made.inference._deployments.catalog.names()
        assert gate.launches == []
        await made.launches.launch(CALL)
        await until(lambda: bool(gate.launches))


async def test_a_hub_that_does_not_answer_is_told_and_leaves_nothing(
    hub: Hub, tmp_path: Path
) -> None:
    hub.repos["org/chat"].outage = 503
    async with house_of(hub, tmp_path) as (made, _):
        await made.launches.launch(CALL)
        with pytest.raises(HubUnreachable):
            await made.launches.ready("mine")
        assert made.launches.all() == []
        assert made.launches.info("mine").stage is Stage.FAILED


def test_what_is_told_never_goes_back() -> None:
    seen = Fetching()
    for done, total in ((5, 10), (3, 10), (10, 20), (0, 5)):
        seen("org/chat", done, total)
    assert seen.files == (FileProgress(name="org/chat", done=10, total=20),)
    assert seen.part == 0.5


def test_whoever_fetches_is_told_that_nobody_wants_it() -> None:
    seen = Fetching()
    seen.cancel()
    with pytest.raises(Cancelled, match="org/chat"):
        seen("org/chat", 1, 2)
