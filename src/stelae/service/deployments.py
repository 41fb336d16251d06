"""Which models are loaded, and loading them when they are first asked for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
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
from stelae.engines.base import Device, EngineOptions
from stelae.errors import (
    LOADING,
    Conflict,
    ModelNotReady,
    NotFound,
    RateLimited,
    ShuttingDown,
    StelaeError,
    UnsupportedTask,
    from_info,
)
from stelae.scheduler.queue import Limits
from stelae.service.fetching import Fetching
from stelae.service.health import Health
from stelae.service.keeping import Keep, Keeping
from stelae.service.launch_rules import check_kind, check_more
from stelae.telemetry.log import get
from stelae.types import ComputeDtype, ModelInfo, ModelState, Task

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
        anywhere: Whether callers may launch hub ids and folders that nobody named here.
        keeps: Whether launches are kept for the next start of the server.
        keep: How long models stay loaded, and in how much memory.
    """

    options: EngineOptions = EngineOptions()
    engine: str | None = None
    limits: Limits = Limits()
    load_wait: float = 60.0
    retry_failed: float = 10.0
    pulls: bool = False
    anywhere: bool = True
    keeps: bool = True
    keep: Keep = Keep()


@dataclass(slots=True, eq=False)
class Standing:
    """What is known of one model beside its entry.

    Attributes:
        spec: What its checkpoint says, once read.
        choice: The engine that serves it, once the spec is known.
        loading: The load under way.
        fetching: How far its checkpoint is, during a load; ``None`` once it is read.
        calls: Calls under way, those that wait for the model too.
        adding: Further replicas that are being started.
        stopping: Whether it is being unloaded.
        error: Why the latest load failed.
        failed_at: When it did, on the monotonic clock.
        attempts: Loads that failed since the latest that did not.
        load_seconds: How long the latest load took.
        pinned: Whether the server is not ready without it.
        lock: Held while the model is loaded or unloaded.
        traits: What was last told of entry and checkpoint, and of which; see ``Fleet.traits``.
    """

    spec: ModelSpec | None = None
    choice: registry.Choice | None = None
    loading: asyncio.Task[StelaeError | None] | None = None
    fetching: Fetching | None = None
    calls: int = 0
    adding: set[asyncio.Task[Replica]] = field(default_factory=set)
    stopping: bool = False
    error: StelaeError | None = None
    failed_at: float = 0.0
    attempts: int = 0
    load_seconds: float = 5.0
    started: float = 0.0
    pinned: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    traits: tuple[ModelEntry, ModelSpec | None, ModelInfo] | None = None

    def failed(self, error: StelaeError) -> StelaeError:
        """Note that a load failed."""
        self.attempts += 1
        error.details = {**error.details, "stage": LOADING, "attempts": self.attempts}
        self.error, self.failed_at = error, time.monotonic()
        return error


class Use:
    """A call of a model while it is worked on; a class, since a generator takes thrice as long.

    Args:
        entry: The model.
        standing: Counts its calls.
        keeping: Keeps it where it is meanwhile.
    """

    __slots__ = ("_entry", "_keeping", "_standing", "_stay")

    def __init__(self, entry: ModelEntry, standing: Standing, keeping: Keeping) -> None:
        self._entry, self._standing, self._keeping = entry, standing, keeping

    def __enter__(self) -> None:
        """Begin.

        Raises:
            RateLimited: As many are under way as it takes.
        """
        entry, standing = self._entry, self._standing
        if entry.calls is not None and standing.calls >= entry.calls:
            raise RateLimited(
                f"Rate limit reached for the model {entry.name!r}: it was launched for "
                f"{entry.calls} calls at once, and has them",
                retry_after=1.0,
            )
        self._stay = self._keeping.begin(entry.name)
        standing.calls += 1

    def __exit__(self, *problem: object) -> None:
        """End, however that comes."""
        self._standing.calls -= 1
        self._keeping.end(self._stay)


class Deployments:
    """Loaded models by name; calls for one that is not loaded load it, once."""

    def __init__(
        self, catalog: Catalog, controller: Controller, defaults: Defaults, health: Health
    ) -> None:
        self.catalog = catalog
        self.controller = controller
        self._health = health
        self._defaults = defaults
        self.keeping = Keeping(catalog, controller, defaults.keep, self._stop)
        self._standings: dict[str, Standing] = {}
        self._closed = False

    @property
    def defaults(self) -> Defaults:
        """How models are loaded unless their entries say otherwise."""
        return self._defaults

    @property
    def pulls(self) -> bool:
        """Whether callers may have models fetched that nobody named here."""
        return self._defaults.pulls

    def known_anew(self, name: str) -> None:
        """Forget what was read and what failed of a name that means another model now."""
        standing = self.standing(name)
        standing.spec, standing.choice = None, None
        standing.error, standing.attempts = None, 0

    def forget(self, name: str) -> None:
        """Keep nothing of a model that was taken down, unless it is loaded anew already."""
        standing = self.standing(name)
        if standing.loading is None and not self.controller.replicas(name):
            del self._standings[name]
            self._health.forget(name)
            self.keeping.forget(name)

    def using(self, entry: ModelEntry) -> Use:
        """Count a call of a model while it is worked on; see ``Use``."""
        return Use(entry, self.standing(entry.name), self.keeping)

    def standing(self, name: str) -> Standing:
        """Where the model of a registered name stands."""
        standing = self._standings.get(name)
        if standing is None:
            standing = self._standings[name] = Standing()
        return standing

    def replicas(self, name: str) -> list[Replica]:
        """The replicas of the model that are up, those first that take calls."""
        there = self.controller.replicas(name)
        return sorted(there, key=router.rank) if len(there) > 1 else list(there)

    def replica(self, name: str) -> Replica | None:
        """A replica of the model, whatever its state; one that takes calls if there is any."""
        there = self.replicas(name)
        return there[0] if there else None

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
        if (replica := self.ready(name, task)) is not None:
            return replica
        entry = self.catalog.entry(name)
        if (known := self.standing(entry.name).spec) is not None:
            _check_task(entry.name, known, task)
        await self._load_for_call(entry, timeout)
        return _chosen(self.controller.replicas(entry.name), task)

    def ready(self, name: str, task: Task) -> Replica | None:
        """A replica that takes a call now, if the model is loaded and stays.

        Raises:
            ModelNotReady: All are being stopped.
            UnsupportedTask: It cannot do that task.
        """
        there = self.controller.replicas(name)
        return None if not there or self.keeping.going(name) else _chosen(there, task)

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
        if replica is None or self.keeping.going(entry.name):
            await self._wait(entry.name, self._begin(entry, engine, dtype), None)
            replica = self.replica(entry.name)
        if replica is not None:
            _check_same(replica, engine, dtype)

    async def add_replica(self, name: str, gpus: tuple[int, ...] | None = None) -> Replica:
        """Start a further replica of a loaded model; returns when it answers.

        Args:
            name: The name it is registered under.
            gpus: GPUs of the replica; those that the entry has for its number if ``None``.

        Raises:
            ModelNotReady: The model is not loaded, or was unloaded meanwhile.
            InvalidInput: It has as many replicas as a model may have.
            StelaeError: It cannot be started, and why; the others are unharmed.
        """
        standing = self.standing(name)
        work = asyncio.create_task(self._add(name, gpus, standing), name=f"add-{name}")
        standing.adding.add(work)
        work.add_done_callback(standing.adding.discard)
        try:
            await asyncio.wait([work])
        finally:
            work.cancel()
        if work.cancelled():
            raise ModelNotReady(f"model {name!r} was unloaded meanwhile", retry_after=1.0)
        return work.result()

    async def remove_replica(self, name: str, number: int, drain: float) -> int:
        """Stop one replica of a model; its calls have ``drain`` seconds to finish.

        Returns:
            How many are left.

        Raises:
            NotFound: There is none of that number.
        """
        async with self.standing(name).lock:
            numbers = [r.deployment.number for r in self.controller.replicas(name)]
            if number not in numbers:
                raise NotFound(
                    f"model {name!r} has no replica {number}; it has "
                    f"{', '.join(map(str, sorted(numbers))) or 'none'}",
                    param="replica",
                )
            await self.controller.stop(name, drain, number)
        return len(self.controller.replicas(name))

    async def unload(self, name: str, drain: float) -> None:
        """Unload a model; its calls have ``drain`` seconds to finish."""
        standing = self.standing(name)
        under_way = [task for task in (standing.loading, *standing.adding) if task is not None]
        for task in under_way:
            task.cancel()
        if under_way:
            await asyncio.wait(under_way)
        await self._stop(name, drain)

    async def _stop(self, name: str, drain: float) -> None:
        """Unload a model, and let a load that waits for that go on."""
        standing = self.standing(name)
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
        await self.keeping.close()

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
            standing.fetching = Fetching()
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
                await self.keeping.check(entry, self._dtype(entry, dtype))
                deployment = await self._plan(entry, standing, engine, dtype)
                async with self.keeping.room(entry, deployment, entry.replicas):
                    await self._start_all(entry, deployment)
        except StelaeError as error:
            log.error("model_load_failed", model=entry.name, code=error.code, error=error.message)
            return standing.failed(error)
        finally:
            standing.loading = None
            if standing.fetching is not None:
                standing.fetching.cancel()
                standing.fetching = None
        standing.error, standing.attempts = None, 0
        standing.load_seconds = time.monotonic() - standing.started
        log.info("model_loaded", model=entry.name, seconds=round(standing.load_seconds, 3))
        return None

    async def _start_all(self, entry: ModelEntry, deployment: Deployment) -> None:
        """Start the replicas of a model, one after the other; all or none."""
        try:
            for number in range(entry.replicas):
                await self._start(entry, deployment, number)
        except BaseException:
            await self.controller.stop(entry.name, 0.0)
            raise

    async def _start(
        self,
        entry: ModelEntry,
        deployment: Deployment,
        number: int,
        gpus: tuple[int, ...] | None = None,
    ) -> Replica:
        if gpus is None and entry.gpus:
            gpus = entry.gpus[number % len(entry.gpus)]
        replica = await self.controller.launch(placed(deployment, number, gpus))
        self._health.answered(replica)  # a launch ends with a health check
        return replica

    async def _add(self, name: str, gpus: tuple[int, ...] | None, standing: Standing) -> Replica:
        async with standing.lock:
            there = self.controller.replicas(name)
            if not there:
                raise ModelNotReady(f"model {name!r} is not loaded", retry_after=1.0)
            check_more(name, len(there), 1)
            taken = {replica.deployment.number for replica in there}
            number = next(n for n in range(len(taken) + 1) if n not in taken)
            entry, like = self.catalog.entry(name), there[0].deployment
            async with self.keeping.room(entry, like, 1):
                replica = await self._start(entry, like, number, gpus)
        log.info("replica_added", model=name, replica=number)
        return replica

    async def _plan(
        self,
        entry: ModelEntry,
        standing: Standing,
        engine: str | None,
        dtype: ComputeDtype | None,
    ) -> Deployment:
        spec, choice = await self._read(entry, standing, engine, standing.fetching)
        standing.fetching = None
        options, limits = self._defaults.options, self._defaults.limits
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
                dtype=self._dtype(entry, dtype),
                deterministic=alone,
                adapters=self.catalog.adapters(entry),
                cache_tokens=entry.cache_tokens or options.cache_tokens,
            ),
            limits=limits,
            environment=entry.environment,
        )

    def _dtype(self, entry: ModelEntry, asked: ComputeDtype | None) -> ComputeDtype:
        own = entry.dtype if entry.dtype is not ComputeDtype.AUTO else None
        return asked or own or self._defaults.options.dtype

    async def _read(
        self,
        entry: ModelEntry,
        standing: Standing,
        engine: str | None,
        progress: Progress | None = None,
    ) -> tuple[ModelSpec, registry.Choice]:
        spec = await in_daemon(self.catalog.read, entry, progress)
        check_kind(entry.model or entry.name, entry.kind, spec)
        choice = await in_daemon(registry.choose, spec, engine)
        self.catalog.keep(entry, spec)
        standing.spec, standing.choice = spec, choice
        return spec, choice


def _is_local(entry: ModelEntry) -> bool:
    return entry.source == EMBEDDED or is_local(entry.source)


def placed(deployment: Deployment, number: int, gpus: tuple[int, ...] | None) -> Deployment:
    """A replica's own deployment: its number, and the GPUs it sees."""
    options = deployment.options
    if gpus is not None:
        options = replace(options, device=Device.CUDA if gpus else Device.CPU)
    return replace(deployment, number=number, gpus=gpus, options=options)


def _chosen(there: Sequence[Replica], task: Task) -> Replica:
    replica = router.choose(there)
    _check_task(replica.name, replica.deployment.spec, task)
    return replica


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
