"""A house whose models are served by the fake engine, in threads of this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import EMBEDDED, ModelEntry
from stelae.cluster.controller import Controller, Placement
from stelae.cluster.deployment import Deployment
from stelae.cluster.local import LocalController
from stelae.cluster.replica import Replica
from stelae.service.house import House, build
from stelae.service.inference import Caller
from stelae.service.store import Store
from stelae.types import EncodeCall, EncodeResult, Item

FAKE = ModelEntry(name="fake", source=EMBEDDED, aliases=("alias",), engine="fake")
OTHER = ModelEntry(name="other", source=EMBEDDED, engine="fake")
BROKEN = ModelEntry(name="broken", source=str(Path("/no/such/folder")), engine="fake")


class Gate:
    """A controller that holds every launch back until it is opened, and counts them."""

    def __init__(self, *, held: bool = True) -> None:
        self._inner = LocalController(Placement.THREAD)
        self._open = asyncio.Event()
        self.launches: list[Deployment] = []
        if not held:
            self._open.set()

    def open(self) -> None:
        """Let launches go on."""
        self._open.set()

    def shut(self) -> None:
        """Hold launches back again."""
        self._open.clear()

    async def launch(self, deployment: Deployment) -> Replica:
        """Wait for the gate, then start a replica."""
        self.launches.append(deployment)
        await self._open.wait()
        return await self._inner.launch(deployment)

    async def stop(self, name: str, drain: float, number: int | None = None) -> None:
        """Stop replicas of a deployment."""
        await self._inner.stop(name, drain, number)

    def replicas(self, name: str | None = None) -> Sequence[Replica]:
        """The replicas of a deployment, or all there are."""
        return self._inner.replicas(name)


@asynccontextmanager
async def house(controller: Controller | None = None, **more: Any) -> AsyncIterator[House]:
    """A house with the models ``fake``, ``other`` and ``broken``, stopped in the end."""
    catalog = Catalog([FAKE, OTHER, BROKEN])
    with TemporaryDirectory() as folder:
        kept = {"store": Store(Path(folder))} | more
        made = build(catalog, controller or LocalController(Placement.THREAD), **kept)
        try:
            yield made
        finally:
            await made.stop(0.0)


async def encode(
    made: House, *texts: str, model: str = "fake", timeout: float | None = None
) -> EncodeResult:
    """Ask for the vectors of some texts."""
    call = EncodeCall(model=model, items=[Item(text=text) for text in texts])
    return await made.inference.encode(call, Caller(request_id="test", timeout=timeout))
