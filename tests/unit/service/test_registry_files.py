"""What the registry knows of engines and of the hub's cache."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fix_hub import repo_of, running_hub

from stelae.catalog.catalog import Catalog
from stelae.catalog.hub import HubOptions
from stelae.cluster.controller import Placement
from stelae.cluster.local import LocalController
from stelae.errors import Conflict, ModelNotFound, NotFound
from stelae.service.house import House, build
from stelae.service.store import Store
from stelae.types import Registration, Weights

MINE = Registration(name="mine", kind="embedding", weights=(Weights(source="tiny/bert"),))
VERSION = "mine--pytorch--none"


@asynccontextmanager
async def serving(zoo: Path, tmp_path: Path) -> AsyncIterator[House]:
    """A house with a model of a hub on this machine, registered as ``mine``."""
    with running_hub() as hub:
        hub.repos["tiny/bert"] = repo_of(zoo / "bert-dense")
        options = HubOptions(cache=str(tmp_path / "cache"), endpoint=hub.url)
        made = build(
            Catalog(hub=options), LocalController(Placement.THREAD), store=Store(tmp_path / "store")
        )
        try:
            await made.registry.register(MINE)
            yield made
        finally:
            await made.stop(0.0)


async def test_files_are_taken_away_once_nobody_uses_them(zoo: Path, tmp_path: Path) -> None:
    async with serving(zoo, tmp_path) as made:
        assert await made.registry.cached() == []
        await made.fleet.load("mine")
        (there,) = await made.registry.cached("mine")
        assert (there.version, there.source, there.complete) == (VERSION, "tiny/bert", True)
        size = sum(path.stat().st_size for path in (zoo / "bert-dense").rglob("*.safetensors"))
        assert there.bytes > size
        assert f"{there.path}/config.json" in there.files
        with pytest.raises(Conflict, match="'mine' is ready"):
            await made.registry.uncache(VERSION)
        await made.fleet.unload("mine")
        assert (await made.registry.uncache(VERSION)).version == VERSION
        assert await made.registry.cached() == []
        assert not [*(tmp_path / "cache").glob("models--*")]
        await made.fleet.load("mine")  # fetched again
        assert [model.version for model in await made.registry.cached()] == [VERSION]


@pytest.mark.parametrize(
    "version",
    ["", "mine", "..", "../../etc", "/etc/passwd", "models--tiny--bert", "a\0b", "x" * 9999],
)
async def test_versions_are_compared_and_not_followed(
    zoo: Path, tmp_path: Path, version: str
) -> None:
    async with serving(zoo, tmp_path) as made:
        with pytest.raises(NotFound):
            await made.registry.uncache(version)


async def test_engines_are_asked_of_the_files_once_these_are_here(
    zoo: Path, tmp_path: Path
) -> None:
    async with serving(zoo, tmp_path) as made:
        before = await made.registry.engines("mine", "embedding")
        assert not any(fit.certain for fit in before)
        await made.fleet.load("mine")
        after = {fit.engine: fit for fit in await made.registry.engines("mine")}
        assert all(fit.certain for fit in after.values())
        assert [variant.hub for variant in after["encoder"].variants] == ["tiny/bert"]
        assert after["clap"].reason == "it serves ClapModel only"
        with pytest.raises(ModelNotFound):
            await made.registry.engines("nobody")
        with pytest.raises(ModelNotFound):
            await made.registry.engines("mine", "audio")
