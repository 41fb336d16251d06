"""The rooms behind the dialects, put together."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from stelae.catalog.catalog import Catalog
from stelae.catalog.state import state_folder
from stelae.cluster.controller import Controller
from stelae.collections.shelf import Shelf
from stelae.service.admission import Admission, Bounds
from stelae.service.autostart import Autostarts
from stelae.service.deployments import Defaults, Deployments
from stelae.service.features import Features
from stelae.service.fleet import Fleet
from stelae.service.health import Health
from stelae.service.inference import Inference
from stelae.service.keeping import Keeping
from stelae.service.launches import Launches
from stelae.service.lookout import Lookout, Machine
from stelae.service.pools import Pools
from stelae.service.registry import Registry
from stelae.service.search import Search
from stelae.service.store import Store
from stelae.service.works import Kind, Works


@dataclass(frozen=True, slots=True)
class House:
    """What a server, or an embedded client, talks to.

    Attributes:
        inference: Answers calls.
        fleet: Knows the models.
        launches: Launches further ones, and takes them down.
        autostarts: Launches them when the server starts.
        registry: Knows which can be launched, and takes registrations.
        keeping: Unloads models, and makes room for others.
        pools: Leases sets of workers.
        lookout: Tells what there is to give.
        works: Does work in the background.
        search: Keeps collections.
    """

    inference: Inference
    fleet: Fleet
    launches: Launches
    autostarts: Autostarts
    registry: Registry
    keeping: Keeping
    pools: Pools
    lookout: Lookout
    works: Works
    search: Search

    async def start(self, names: Iterable[str] = ()) -> None:
        """Start, and load the models named; see ``Fleet.start``."""
        await self.registry.start()
        await self.works.start()
        await self.fleet.start(names)
        await self.launches.start()
        await self.autostarts.start()

    async def stop(self, drain: float) -> None:
        """Finish what is accepted and unload all; see ``Fleet.stop``."""
        await self.registry.stop()
        putting_down = asyncio.create_task(self._put_down(drain), name="put-down")
        try:
            await self.fleet.stop(drain)  # refuses calls at once, whatever works take to end
        finally:
            await putting_down
            await self.search.stop()

    async def _put_down(self, drain: float) -> None:
        await self.launches.stop(drain)  # first, so that loads that end now are no failures
        await self.autostarts.stop()
        await self.works.stop()  # closes the store, which those before may still use


def build(
    catalog: Catalog,
    controller: Controller,
    *,
    defaults: Defaults | None = None,
    bounds: Bounds | None = None,
    machine: Machine | None = None,
    store: Store | None = None,
    kinds: Iterable[Kind] = (),
    features: Features | None = None,
) -> House:
    """Put the rooms together; nothing runs before ``start``.

    Args:
        catalog: Knows which models there are.
        controller: Starts and stops their replicas.
        defaults: How models are loaded unless their entries say otherwise.
        bounds: What is taken on at once.
        machine: What this machine is among those that callers may ask for.
        store: What outlives the server.
        kinds: Kinds of work in the background.
        features: Remembers vectors.
    """
    health = Health(controller.replicas)
    deployments = Deployments(catalog, controller, defaults or Defaults(), health)
    admission = Admission(bounds or Bounds())
    machine = machine or Machine()
    pools = Pools(machine.profiles)
    fleet = Fleet(deployments, admission, health)
    inference = Inference(deployments, admission, health, pools, features)
    store = store or Store(state_folder())
    registry = Registry(deployments, store)
    launches = Launches(deployments, registry, store)
    return House(
        inference=inference,
        fleet=fleet,
        launches=launches,
        autostarts=Autostarts(launches, registry, store),
        registry=registry,
        keeping=deployments.keeping,
        pools=pools,
        lookout=Lookout(fleet, admission, machine),
        works=Works(store, inference, kinds),
        search=Search(Shelf(store.folder / "collections", store.most_bytes), inference),
    )
