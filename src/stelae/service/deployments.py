"""Which models are loaded, and loading them when they are first asked for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec
from msgspec.structs import replace

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import EMBEDDED, ModelEntry, is_local
from stelae.catalog.hub_progress import Progress
from stelae.catalog.spec import ModelSpec
from stelae.cluster import router
from stelae.cluster.controller import Controller
from stelae.cluster.daemon import in_daemon
from stelae.cluster.deployment import Deployment
from stelae.cluster.replica import Replica
from stelae.engines import registry
from stelae.engines.base import EngineOptions
from stelae.errors import (
    LOADING,
    Conflict,
    ModelNotReady,
    ShuttingDown,
    StelaeError,
    UnsupportedTask,
    from_info,
)
from stelae.scheduler.queue import Limits
from stelae.service.health import Health
from stelae.telemetry.log import get
from stelae.types import ComputeDtype, ModelState, Task

log = get()


class Defaults(msgspec.Struct, frozen=True, kw_only=True):
    """How models are loaded unless their entries say otherwise; times in seconds.

    Attributes:
        options: Number format, device, threads.
        engine: Engine to use and no other; ``None`` takes the best for each model.
        limits: Bounds of each model's queue.
        load_wait: How long a call without a deadline waits for its model to load.
        retry_failed: For how long a failed load answers calls before it is tried again.
        pulls: Whether callers may have models fetched that nobody named here.
    """

    options: EngineOptions = EngineOptions()
    engine: str | None = None
    limits: Limits = Limits()
    load_wait: float = 60.0
    retry_failed: float = 10.0
    pulls: bool = False


@dataclass(slots=True, eq=False)
class Standing:
    """What is known of one model beside its entry.

    Attributes:
        spec: What its checkpoint says, once read.
        choice: The engine that serves it, once the spec is known.
        loading: The load under way.
        stopping: Whether it is being unloaded.
        error: Why the latest load failed.
        failed_at: When it did, on the monotonic clock.
        attempts: Loads that failed since the latest that did not.
        load_seconds: How long the latest load took.
        pinned: Whether the server is not ready without it.
        lock: Held while the model is loaded or unloaded.
    """

    spec: ModelSpec | None = None
    choice: registry.Choice | None = None
    loading: asyncio.Task[StelaeError | None] | None = None
    stopping: bool = False
    error: StelaeError | None = None
    failed_at: float = 0.0
    attempts: int = 0
    load_seconds: float = 5.0
    started: float = 0.0
    pinned: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def failed(self, error: StelaeError) -> StelaeError:
        """Note that a load failed."""
        self.attempts += 1
        error.details = {**error.details, "stage": LOADING, "attempts": self.attempts}
        self.error, self.failed_at = error, time.monotonic()
        return error


class Deployments:
    """Loaded models by name; calls for one that is not loaded load it, once."""

    def __init__(
        self, catalog: Catalog, controller: Controller, defaults: Defaults, health: Health
    ) -> None:
        self.catalog = catalog
        self.controller = controller
        self._health = health
        self._defaults = defaults
        self._standings: dict[str, Standing] = {}
        self._closed = False

    @property
    def pulls(self) -> bool:
        """Whether callers may have models fetched that nobody named here."""
        return self._defaults.pulls

    def standing(self, name: str) -> Standing:
        """Where the model of a registered name stands."""
        return self._standings.setdefault(name, Standing())

    def replica(self, name: str) -> Replica | None:
        """A replica of the model, whatever its state."""
        return next(iter(self.controller.replicas(name)), None)

    def state(self, name: str) -> ModelState:
        """Where the model stands between known and served."""
        standing = self.standing(name)
        if standing.stopping:
            return ModelState.STOPPING
        if (replica := self.replica(name)) is not None:
            return replica.state
        if standing.loading is not None:
            return ModelState.LOADING
        return ModelState.FAILED if standing.error is not None else ModelState.AVAILABLE

    async def serving(self, name: str, task: Task, timeout: float | None) -> Replica:
        """A replica that takes a call now; loads the model if need be.

        Raises:
            ModelNotFound: No such model.
            ModelNotReady: It did not load in time.
            UnsupportedTask: It cannot do that task.
            StelaeError: It cannot be loaded, and why.
        """
        entry = self.catalog.entry(name)
        if not self.controller.replicas(entry.name):
            if (known := self.standing(entry.name).spec) is not None:
                _check_task(entry.name, known, task)
            await self._load_for_call(entry, timeout)
        replica = router.choose(self.controller.replicas(entry.name))
        _check_task(entry.name, replica.deployment.spec, task)
        return replica

    async def load(
        self, name: str, engine: str | None = None, dtype: ComputeDtype | None = None
    ) -> None:
        """Load a model, or wait until it is; a failed one is tried again.

        Raises:
            Conflict: It is loaded already with another engine or dtype.
            StelaeError: It cannot be loaded, and why.
        """
        entry = self.catalog.entry(name)
        replica = self.replica(entry.name)
        if replica is not None and replica.state is ModelState.FAILED:
            await self.unload(entry.name, 0.0)
            replica = None
        if replica is None:
            await self._wait(entry.name, self._begin(entry, engine, dtype), None)
            replica = self.replica(entry.name)
        if replica is not None:
            _check_same(replica, engine, dtype)

    def begin(self, name: str) -> None:
        """Begin to load a model, and return at once."""
        if self.replica(name) is None:
            self._begin(self.catalog.entry(name))

    async def unload(self, name: str, drain: float) -> None:
        """Unload a model; its calls have ``drain`` seconds to finish."""
        standing = self.standing(name)
        if standing.loading is not None:
            standing.loading.cancel()
            await asyncio.wait([standing.loading])
        async with standing.lock:
            loaded = self.replica(name) is not None
            standing.stopping, standing.error, standing.pinned = True, None, False
            try:
                await self.controller.stop(name, drain)
            finally:
                standing.stopping = False
        if loaded:
            log.info("model_unloaded", model=name)

    async def close(self, drain: float) -> None:
        """Unload all; nothing is loaded afterwards."""
        self._closed = True
        names = [*self._standings]
        await asyncio.gather(*(self.unload(name, drain) for name in names))

    async def read_local(self, entries: Iterable[ModelEntry]) -> None:
        """Learn what the checkpoints on this machine are, without loading them."""
        for entry in entries:
            if not _is_local(entry):
                continue
            standing = self.standing(entry.name)
            try:
                await self._read(entry, standing, entry.engine or self._defaults.engine)
            except StelaeError as error:
                standing.failed(error)

    async def fetch(self, entry: ModelEntry, progress: Progress | None = None) -> None:
        """Have a model's checkpoint on this machine, and know what it is.

        Args:
            entry: The model; it is registered if it was not.
            progress: Told of the bytes that come in; called from several threads.

        Raises:
            StelaeError: It cannot be had or served, and why.
        """
        engine = entry.engine or self._defaults.engine
        await self._read(entry, self.standing(entry.name), engine, progress)

    # -- loading -----------------------------------------------------------------------------

    async def _load_for_call(self, entry: ModelEntry, timeout: float | None) -> None:
        standing = self.standing(entry.name)
        since = time.monotonic() - standing.failed_at
        if standing.error is not None and since < self._defaults.retry_failed:
            raise from_info(standing.error.info)
        wait = self._defaults.load_wait if timeout is None else timeout
        await self._wait(entry.name, self._begin(entry), wait)

    def _begin(
        self, entry: ModelEntry, engine: str | None = None, dtype: ComputeDtype | None = None
    ) -> asyncio.Task[StelaeError | None]:
        """The load of a model: the one under way, or a new one."""
        if self._closed:
            raise ShuttingDown("the server is shutting down and loads no models", retry_after=5.0)
        standing = self.standing(entry.name)
        if standing.loading is None:
            engine = engine or entry.engine or self._defaults.engine
            work = self._bring_up(entry, standing, engine, dtype)
            standing.loading = asyncio.create_task(work, name=f"load-{entry.name}")
        return standing.loading

    async def _wait(
        self, name: str, loading: asyncio.Task[StelaeError | None], timeout: float | None
    ) -> None:
        """Wait for a load, which goes on if this wait ends early."""
        done, _ = await asyncio.wait([loading], timeout=timeout)
        if not done:
            standing = self.standing(name)
            left = standing.load_seconds - (time.monotonic() - standing.started)
            raise ModelNotReady(
                f"model {name!r} is still loading", retry_after=min(60.0, max(1.0, left))
            )
        if loading.cancelled():
            raise ModelNotReady(f"model {name!r} was unloaded while it loaded", retry_after=1.0)
        if (error := loading.result()) is not None:
            raise from_info(error.info) from error

    async def _bring_up(
        self,
        entry: ModelEntry,
        standing: Standing,
        engine: str | None,
        dtype: ComputeDtype | None,
    ) -> StelaeError | None:
        standing.started = time.monotonic()
        try:
            async with standing.lock:
                deployment = await self._plan(entry, standing, engine, dtype)
                await self.controller.launch(deployment)
                self._health.answered(entry.name)  # a launch ends with a health check
        except StelaeError as error:
            log.error("model_load_failed", model=entry.name, code=error.code, error=error.message)
            return standing.failed(error)
        finally:
            standing.loading = None
        standing.error, standing.attempts = None, 0
        standing.load_seconds = time.monotonic() - standing.started
        log.info("model_loaded", model=entry.name, seconds=round(standing.load_seconds, 3))
        return None

    async def _plan(
        self,
        entry: ModelEntry,
        standing: Standing,
        engine: str | None,
        dtype: ComputeDtype | None,
    ) -> Deployment:
        spec, choice = await self._read(entry, standing, engine)
        options, limits = self._defaults.options, self._defaults.limits
        wanted = dtype or (entry.dtype if entry.dtype is not ComputeDtype.AUTO else options.dtype)
        alone = options.deterministic if entry.deterministic is None else entry.deterministic
        if entry.batch_tokens is not None:
            limits = replace(limits, batch_tokens=entry.batch_tokens)
        return Deployment(
            name=entry.name,
            spec=spec,
            engine=choice.manifest.name,
            reason=choice.reason,
            others=tuple(other.name for other in choice.others),
            options=replace(
                options,
                dtype=wanted,
                deterministic=alone,
                adapters=self.catalog.adapters(entry),
            ),
            limits=limits,
        )

    async def _read(
        self,
        entry: ModelEntry,
        standing: Standing,
        engine: str | None,
        progress: Progress | None = None,
    ) -> tuple[ModelSpec, registry.Choice]:
        spec = await in_daemon(self.catalog.read, entry, progress)
        self.catalog.keep(entry, spec)
        choice = await in_daemon(registry.choose, spec, engine)
        standing.spec, standing.choice = spec, choice
        return spec, choice


def _is_local(entry: ModelEntry) -> bool:
    return entry.source == EMBEDDED or is_local(entry.source)


def _check_task(name: str, spec: ModelSpec, task: Task) -> None:
    """Refuse what a model cannot do.

    Raises:
        UnsupportedTask: It cannot do that.
    """
    if task not in spec.answers:
        raise UnsupportedTask(
            f"model {name!r} cannot {task}; it can {', '.join(spec.answers)}", param="model"
        )


def _check_same(there: Replica, engine: str | None, dtype: ComputeDtype | None) -> None:
    """Refuse options other than those a model was loaded with.

    Raises:
        Conflict: They differ.
    """
    runs = there.deployment
    dtypes = {runs.options.dtype.value, there.info.dtype if there.info is not None else ""}
    if engine in (None, runs.engine) and (dtype is None or dtype.value in dtypes):
        return
    raise Conflict(
        f"model {there.name!r} is loaded with engine={runs.engine!r} and "
        f"dtype={runs.options.dtype.value!r}",
        hint="unload it first",
    )
