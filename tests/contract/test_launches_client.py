"""Launching models through our own client, with and without ``await``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from live import Live, live

import stelae
from stelae import AsyncClient, Client
from stelae.catalog.state import state_folder
from stelae.errors import (
    Cancelled,
    Conflict,
    DeadlineExceeded,
    InvalidInput,
    ModelNotFound,
    NotFound,
    StelaeError,
)
from stelae.service.keepsakes import Keepsakes
from stelae.service.store import Store
from stelae.types import FileProgress, LaunchCall, LaunchInfo, Stage


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Live]:
    async with live() as running:
        yield running


async def test_model_is_launched_asked_and_taken_down(server: Live) -> None:
    async with AsyncClient(server.url, retries=0) as client:
        launched = await client.launch_model("fake", uid="org/mine", replicas=2)
        assert (launched.uid, launched.stage, launched.progress) == ("org/mine", Stage.READY, 1.0)
        assert [replica.number for replica in launched.replicas] == [0, 1]
        assert [info.uid for info in await client.list_models()] == ["org/mine"]
        assert (await client.encode("a", model="org/mine")).dense.shape == (384,)
        with pytest.raises(Conflict):
            await client.launch_model("fake", uid="org/mine")
        assert (await client.terminate_model("org/mine")).uid == "org/mine"
        assert await client.list_models() == []
        with pytest.raises(ModelNotFound):
            await client.encode("a", model="org/mine")
        with pytest.raises(ModelNotFound):
            await client.terminate_model("org/mine")


async def test_model_gets_a_client_of_its_own(server: Live) -> None:
    async with AsyncClient(server.url, model="nothing", retries=0) as client:
        await client.launch_model("fake", uid="mine")
        model = await client.get_model("mine")
        assert (await model.encode("a")).dense.shape == (384,)
        assert "'mine'" in repr(model)
        with pytest.raises(ModelNotFound):
            await client.encode("a")
        with pytest.raises(ModelNotFound):
            await client.get_model("other")
        await model.aclose()
        with pytest.raises(RuntimeError, match="closed"):
            await client.list_models()


async def test_launch_need_not_be_waited_for(server: Live) -> None:
    async with AsyncClient(server.url) as client:
        begun = await client.launch_model("fake", uid="mine", wait=False)
        assert begun.uid == "mine"
        told: list[tuple[int, int | None]] = []
        ready = await client.wait_for_model("mine", progress=lambda *done: told.append(done))
        assert ready.stage is Stage.READY
        assert told
        assert (await client.launched("mine")).stage is Stage.READY
        with pytest.raises(Conflict):
            await client.cancel_launch("mine")
        with pytest.raises(ModelNotFound):
            await client.wait_for_model("other")


async def test_replicas_come_and_go(server: Live) -> None:
    async with AsyncClient(server.url) as client:
        await client.launch_model("fake", uid="mine")
        assert (await client.add_replica("mine")).number == 1
        with pytest.raises(NotFound):
            await client.remove_replica("mine", 7)
        assert await client.remove_replica("mine", 0) == 1
        assert [r.number for r in (await client.launched("mine")).replicas] == [1]
        assert await client.remove_replica("mine", 1) == 0
        with pytest.raises(ModelNotFound):
            await client.launched("mine")


@pytest.mark.parametrize(
    "options",
    [
        {"replicas": "many"},
        {"size": []},
        {"gpus": [["a"]]},
        {"no_such_option": 1},
        {"kind": "smell"},
        {"replicas": 0},
        {"uid": ""},
        {"uid": "x" * 200},
        {"timeout": -1},
        {"quantization": "Q9_Z"},
    ],
)
async def test_what_makes_no_sense_is_refused(server: Live, options: dict[str, Any]) -> None:
    async with AsyncClient(server.url, retries=0) as client:
        with pytest.raises(InvalidInput):
            await client.launch_model("all-MiniLM-L6-v2", **options)
        assert await client.list_models() == []


async def test_what_cannot_be_loaded_says_why(server: Live, tmp_path: Path) -> None:
    async with AsyncClient(server.url, retries=0) as client:
        (tmp_path / "config.json").write_text("{}", "utf-8")
        with pytest.raises(StelaeError):
            await client.launch_model(tmp_path, uid="mine")
        with pytest.raises(ModelNotFound):
            await client.launch_model("no-such-model")
        assert await client.list_models() == []


async def test_a_launch_is_sent_once_though_the_client_tries_again() -> None:
    answers = Slow()
    client: AsyncClient = AsyncClient(backend=answers, retries=3)
    with pytest.raises(stelae.StelaeError, match="broke"):
        await client.launch_model("fake")
    assert answers.launches_seen == 1


async def test_waiting_ends_when_its_time_is_over() -> None:
    client = AsyncClient(backend=Slow(Stage.DOWNLOADING))
    told: list[tuple[int, int | None]] = []
    with pytest.raises(DeadlineExceeded, match=r"'mine' was not ready within 0\.01 s"):
        await client.wait_for_model("mine", timeout=0.01, progress=lambda *d: told.append(d))
    assert told == [(3, 7)]


async def test_waiting_ends_with_the_launch() -> None:
    with pytest.raises(Cancelled, match="taken back"):
        await AsyncClient(backend=Slow(Stage.CANCELLED)).wait_for_model("mine")


class Slow:
    """A backend of one launch that never gets further."""

    address = "nowhere"

    def __init__(self, stage: Stage = Stage.PENDING) -> None:
        self.stage, self.launches_seen = stage, 0

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)

    async def launch(self, call: LaunchCall, timeout: float | None) -> LaunchInfo:
        self.launches_seen += 1
        raise stelae.errors.ServerUnreachable("the connection broke")

    async def launched(self, uid: str, timeout: float | None) -> LaunchInfo:
        error = None if self.stage is not Stage.CANCELLED else Cancelled("taken back").info
        files = (
            FileProgress(name="a", done=1, total=3),
            FileProgress(name="b", done=2, total=4),
        )
        call = LaunchCall(model="fake", uid=uid)
        return LaunchInfo(uid=uid, call=call, stage=self.stage, files=files, error=error)


async def test_the_same_without_await(server: Live) -> None:
    def use() -> None:
        with Client(server.url) as client:
            assert client.launch_model("fake", uid="mine").stage is Stage.READY
            with client.get_model("mine") as model:
                assert model.encode("a").dense.shape == (384,)
                assert [info.uid for info in model.list_models()] == ["mine"]
                model.terminate_model("mine")

    await asyncio.to_thread(use)


def test_models_in_this_process_leave_those_of_servers_alone(
    zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with closing(Store(state_folder())) as store:
        Keepsakes(store, "launch").keep("mine", b"{}")
    with stelae.local(zoo / "bert-mean") as client:
        client.launch_model(zoo / "bert-mean", uid="mine")
        client.terminate_model("mine")
    with closing(Store(state_folder())) as store:
        assert Keepsakes(store, "launch").all() == [("mine", b"{}")]


async def test_models_are_launched_in_this_process_too(zoo: Path) -> None:
    def use() -> None:
        with stelae.local(zoo / "bert-mean") as client:
            client.launch_model(zoo / "bert-mean", uid="mine")
            first, second = client.encode("a"), client.get_model("mine").encode("a")
            assert first.dense.tolist() == second.dense.tolist()
            client.terminate_model("mine")
            assert client.list_models() == []

    await asyncio.to_thread(use)
