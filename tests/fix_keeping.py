"""A keeping of models that are names and sizes alone, with a clock that tests turn."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from fix_replicas import deployment, until
from msgspec.structs import replace

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.cluster.deployment import Deployment
from stelae.cluster.replica import Replica
from stelae.cluster.vitals import Vitals
from stelae.service.footprint import WORKER
from stelae.service.keeping import Keep, Keeping
from stelae.types import ComputeDtype

GB = 10**9
MOST = 10 * GB


class Box:
    """As much of a replica as its keeping looks at."""

    def __init__(self, deployment: Deployment, size: int, pid: int = 1) -> None:
        self.name, self.deployment = deployment.name, deployment
        self.vitals = Vitals(memory_bytes=size, pid=pid)

    @property
    def memory_bytes(self) -> int:
        return self.vitals.memory_bytes

    def grow(self, size: int) -> None:
        """Hold so much from now on."""
        self.vitals = replace(self.vitals, memory_bytes=size)


class Bench:
    """A keeping, and the models that it keeps.

    Attributes:
        now: What the clock shows.
        boxes: What is loaded, by model.
        loads: When each model was loaded.
        gone: Models in the order in which they were unloaded.
        hold: Held while it is set to hold unloading back.
    """

    def __init__(self, folder: Path, keep: Keep) -> None:
        self.now = 1000.0
        self.boxes: dict[str, list[Box]] = {}
        self.loads: dict[str, list[float]] = {}
        self.gone: list[str] = []
        self.hold = asyncio.Event()
        self.hold.set()
        self._folder = folder
        self.keeping = Keeping(
            Catalog(), cast("Any", self), keep, self._unload, clock=lambda: self.now
        )

    def replicas(self, name: str | None = None) -> Sequence[Replica]:
        """As of a controller."""
        names = self.boxes if name is None else [name]
        return cast("Any", [box for each in names for box in self.boxes.get(each, [])])

    async def _unload(self, name: str, drain: float) -> None:
        assert drain > 0
        await self.hold.wait()
        del self.boxes[name]
        self.gone.append(name)

    def entry(self, name: str, size: int = 3 * GB, **more: Any) -> ModelEntry:
        """A model in a folder, that is expected to take ``size`` bytes as float32."""
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_text('{"torch_dtype": "float32"}')
        with (folder / "model.safetensors").open("wb") as file:
            file.truncate(size - WORKER)  # of which nothing is on the disk
        return ModelEntry(name=name, source=str(folder), **more)

    def deployed(self, entry: ModelEntry) -> Deployment:
        """How it is loaded."""
        plain = deployment()
        return replace(
            plain,
            name=entry.name,
            spec=replace(plain.spec, folder=entry.source),
            options=replace(plain.options, dtype=ComputeDtype.FLOAT32),
        )

    @asynccontextmanager
    async def loading(self, entry: ModelEntry, replicas: int = 1) -> AsyncIterator[None]:
        """Have room for a model, and leave the loading of it to the test."""
        async with self.keeping.room(entry, self.deployed(entry), replicas):
            yield

    async def load(self, entry: ModelEntry, real: int | None = None, replicas: int = 1) -> None:
        """Load a model, which then holds ``real`` bytes a replica, by default as expected."""
        async with self.loading(entry, replicas):
            size = (Path(entry.source) / "model.safetensors").stat().st_size + WORKER
            box = Box(self.deployed(entry), size if real is None else real)
            self.boxes.setdefault(entry.name, []).extend([box] * replicas)
            self.loads.setdefault(entry.name, []).append(self.now)
        self.now += 1.0

    async def use(self, name: str) -> None:
        """A call for a loaded model, which is over at once."""
        with self.keeping.using(name):
            self.now += 1.0

    def begin(self, entry: ModelEntry, **more: Any) -> asyncio.Task[None]:
        """Begin to load a model."""
        return asyncio.create_task(self.load(entry, **more))

    async def settle(self) -> None:
        """Let everything that can go on go on."""
        await _rounds()
        await self.keeping.look()
        await _rounds()

    def share(self, name: str) -> None:
        """Let a model live in this process."""
        for box in self.boxes[name]:
            box.vitals = replace(box.vitals, pid=os.getpid())


async def _rounds() -> None:
    for _ in range(20):
        await asyncio.sleep(0)
        await until(lambda: all(t.name != "stelae-weigh" for t in threading.enumerate()))


__all__ = ["GB", "MOST", "Bench", "Box", "until"]
