"""The models of a server: what there is, loading and unloading, whether they answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable

import msgspec

from stelae.catalog.abilities import Finding, ImageMode
from stelae.catalog.entry import ModelEntry
from stelae.catalog.hub_progress import Progress
from stelae.catalog.spec import ModelSpec
from stelae.errors import Forbidden, ModelNotFound, StelaeError
from stelae.service.admission import Admission
from stelae.service.deployments import Deployments
from stelae.service.describe import describe, traits
from stelae.service.health import Health, ModelHealth
from stelae.telemetry.log import get
from stelae.telemetry.metrics import ModelSample
from stelae.types import ComputeDtype, ModelInfo, ModelState

log = get()

UNLOAD_SECONDS = 25.0
"""Time that calls of a model have to finish when it is unloaded."""


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the server should be sent requests.

    Attributes:
        ready: Every loaded model, and every one named at start, answers: one replica of it
            at least.
        models: Each of their replicas.
        reason: Why the server is not ready.
    """

    ready: bool
    models: list[ModelHealth]
    reason: str = ""


class Fleet:
    """Knows the models, brings them up and down."""

    def __init__(self, deployments: Deployments, admission: Admission, health: Health) -> None:
        self._deployments = deployments
        self._admission = admission
        self._health = health
        self._chores: list[asyncio.Task[None]] = []
        self._reloads: dict[str, asyncio.Task[None]] = {}
        self._begun = False

    # -- what there is -----------------------------------------------------------------------

    def models(self) -> list[ModelInfo]:
        """Every registered model, in order of registration."""
        return [self.model(name) for name in self._deployments.catalog.names()]

    def model(self, name: str) -> ModelInfo:
        """The model of a name or alias, with a profile or without.

        Raises:
            ModelNotFound: There is none.
            InvalidInput: It has no such profile.
        """
        rooms = self._deployments
        entry, _ = rooms.catalog.resolve(name)
        standing, state = rooms.standing(entry.name), rooms.state(entry.name)
        return describe(entry, standing, state, rooms.replicas(entry.name))

    def traits(self, name: str) -> ModelInfo:
        """What calls for a model are checked against: all of ``model`` that load does not change.

        Raises:
            ModelNotFound: There is none.
            InvalidInput: It has no such profile.
        """
        entry, _ = self._deployments.catalog.resolve(name)
        standing = self._deployments.standing(entry.name)
        there = self._deployments.controller.replicas(entry.name)
        spec = there[0].deployment.spec if there else standing.spec
        known = standing.traits
        if known is None or known[0] is not entry or known[1] is not spec:
            known = standing.traits = entry, spec, traits(entry, spec)
        return known[2]

    async def spec(self, name: str) -> ModelSpec:
        """What the checkpoint of a model says, which is read, or even fetched, for that.

        Raises:
            ModelNotFound: There is none of that name.
            StelaeError: It cannot be had or served, and why.
        """
        entry, _ = self._deployments.catalog.resolve(name)
        if (known := self._spec(entry.name)) is not None:
            return known
        await self._deployments.fetch(entry)
        if (read := self._deployments.standing(entry.name).spec) is None:
            raise ModelNotFound(f"model {name!r} was removed meanwhile", param="model")
        return read

    def finding(self, kind: Finding) -> list[str]:
        """Names of models that find things of a kind, as far as is known; loaded ones first."""
        return self._able(lambda spec: spec.extraction and kind in spec.extraction.finds)

    def painting(self, mode: ImageMode) -> list[str]:
        """Names of models that make pictures so, as far as is known; loaded ones first."""
        return self._able(lambda spec: spec.imaging and mode in spec.imaging.modes)

    def _able(self, can: Callable[[ModelSpec], object]) -> list[str]:
        rooms = self._deployments
        names = rooms.catalog.names()
        loaded = [name for name in names if rooms.replica(name) is not None]
        specs = {name: self._spec(name) for name in dict.fromkeys([*loaded, *names])}
        return [name for name, spec in specs.items() if spec is not None and can(spec)]

    def _spec(self, name: str) -> ModelSpec | None:
        replica = self._deployments.replica(name)
        return replica.deployment.spec if replica else self._deployments.standing(name).spec

    def samples(self) -> list[ModelSample]:
        """The figures of every registered model, for metrics."""
        return [self._sample(name) for name in self._deployments.catalog.names()]

    def ready(self) -> Readiness:
        """Whether requests should be sent here; answered from what is known, at once."""
        if self._admission.closed:
            return Readiness(ready=False, models=[], reason="the server is shutting down")
        if not self._begun:
            return Readiness(ready=False, models=[], reason="the server is starting")
        there = self._deployments.controller.replicas()
        up = [replica for replica in there if replica.state is not ModelState.STOPPING]
        models = [self._health.of(replica) for replica in up]
        models += self._missing({model.name for model in models})
        good = {model.name for model in models if model.ok}
        bad = dict.fromkeys(model.name for model in models if model.name not in good)
        reason = f"no answer from {', '.join(bad)}" if bad else ""
        return Readiness(ready=not bad, models=models, reason=reason)

    # -- up and down -------------------------------------------------------------------------

    async def load(
        self, name: str, engine: str | None = None, dtype: ComputeDtype | None = None
    ) -> ModelInfo:
        """Load a model now; returns when it answers.

        Args:
            name: Name or alias, with a profile or without.
            engine: Engine to use and no other.
            dtype: Number format to compute in.

        Raises:
            ModelNotFound: No such model.
            Conflict: It is loaded with another engine or dtype.
            StelaeError: It cannot be loaded, and why.
        """
        entry, _ = self._deployments.catalog.resolve(name)
        await self._deployments.load(entry.name, engine, dtype)
        return self.model(entry.name)

    async def unload(self, name: str) -> ModelInfo:
        """Unload a model once its calls are answered; one that is not loaded stays so.

        Raises:
            ModelNotFound: No such model.
        """
        entry, _ = self._deployments.catalog.resolve(name)
        await self._deployments.unload(entry.name, UNLOAD_SECONDS)
        return self.model(entry.name)

    def reload(self, name: str) -> ModelInfo:
        """Begin to unload a model once its calls are answered, and to load it again.

        Nobody waits for that: ``reloading`` tells whether it is under way. A model that is
        being loaded anew already is not so a second time.

        Raises:
            ModelNotFound: No such model.
        """
        own = self._deployments.catalog.resolve(name)[0].name
        if own not in self._reloads:
            work = asyncio.create_task(self._reload(own), name=f"reload-{own}")
            self._reloads[own] = work
            work.add_done_callback(lambda _: self._reloads.pop(own, None))
        return self.model(own)

    def reloading(self, name: str) -> bool:
        """Whether a model, by the name it is registered under, is being loaded anew."""
        return name in self._reloads

    async def _reload(self, name: str) -> None:
        try:
            await self.unload(name)
            await self.load(name)
        except StelaeError as error:
            log.warning("model_not_reloaded", model=name, error=str(error))

    def fetchable(self, name: str) -> ModelEntry:
        """The model that a caller may have fetched under a name.

        Args:
            name: Name or alias, or a hub id where callers may name any.

        Raises:
            ModelNotFound: It is none of these.
            Forbidden: It is a hub id, and callers may not name any.
        """
        rooms = self._deployments
        try:
            return rooms.catalog.resolve(name)[0]
        except ModelNotFound:
            entry = rooms.catalog.on_hub(name)
        if not rooms.pulls:
            raise Forbidden(
                f"model={name!r} is not among those of this server, and callers may not add to "
                "them",
                param="model",
                hint=f"stelae serve {name}, or hub.pull = true in the configuration",
            )
        return entry

    async def fetch(self, entry: ModelEntry, progress: Progress | None = None) -> ModelInfo:
        """Have a model's checkpoint on this machine; one that is here is not fetched again.

        Args:
            entry: As ``fetchable`` gives it.
            progress: Told of the bytes that come in; called from several threads.

        Raises:
            StelaeError: It cannot be had or served, and why.
        """
        await self._deployments.fetch(entry, progress)
        return self.model(entry.name)

    async def start(self, names: Iterable[str] = ()) -> None:
        """Start checking, and load models; the server is not ready without these.

        Raises:
            StelaeError: One of them cannot be loaded, and why.
        """
        catalog = self._deployments.catalog
        entries = [catalog.entry(name) for name in catalog.names()]
        self._chores = [
            asyncio.create_task(self._health.watch(), name="health"),
            asyncio.create_task(self._deployments.keeping.watch(), name="keeping"),
            asyncio.create_task(self._deployments.read_local(entries), name="read-local"),
        ]
        wanted = dict.fromkeys(catalog.entry(name).name for name in names)
        for name in wanted:
            self._deployments.standing(name).pinned = True
        self._begun = True
        loads = [self._deployments.load(name) for name in wanted]
        failed = [e for e in await asyncio.gather(*loads, return_exceptions=True) if e is not None]
        if failed:
            raise failed[0]

    async def stop(self, drain: float) -> None:
        """Refuse new calls, finish the accepted ones for up to ``drain`` seconds, unload all."""
        end = time.monotonic() + drain
        await self._admission.close(drain)
        chores = [*self._chores, *self._reloads.values()]
        for chore in chores:
            chore.cancel()
        await asyncio.gather(*chores, return_exceptions=True)
        await self._deployments.close(max(0.0, end - time.monotonic()))
        log.info("fleet_stopped", unanswered=self._admission.calls)

    def _missing(self, there: set[str]) -> list[ModelHealth]:
        """Models named at start that have no replica."""
        rooms = self._deployments
        absent = [n for n in rooms.catalog.names() if rooms.standing(n).pinned and n not in there]
        return [self._absence(name, rooms.state(name)) for name in absent]

    def _absence(self, name: str, state: ModelState) -> ModelHealth:
        error = self._deployments.standing(name).error
        reason = error.message if error is not None else f"the model is {state}"
        return ModelHealth(name=name, state=state, ok=False, reason=reason)

    def _sample(self, name: str) -> ModelSample:
        replicas = self._deployments.replicas(name)
        told = [replica.vitals for replica in replicas]
        return ModelSample(
            model=name,
            state=self._deployments.state(name),
            memory_bytes=sum(vitals.memory_bytes for vitals in told),
            restarts=sum(replica.restarts for replica in replicas),
            evictions=self._deployments.keeping.rests(name),
            queue_calls=sum(vitals.calls for vitals in told),
            queue_tokens=sum(vitals.tokens for vitals in told),
            batches=sum(vitals.batches for vitals in told),
            batch_entries=sum(vitals.batch_entries for vitals in told),
            batch_tokens=sum(vitals.batch_tokens for vitals in told),
        )
