"""Launched models: a name, a variant and options, brought up and taken down by whoever asks."""

from __future__ import annotations

import asyncio
import secrets
import string
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from msgspec.structs import replace

from stelae.catalog.entry import ModelEntry, check_name, is_gguf, name_of
from stelae.catalog.variants import Wish
from stelae.cluster.daemon import in_daemon
from stelae.errors import (
    Cancelled,
    Conflict,
    Forbidden,
    InvalidInput,
    ModelNotFound,
    ShuttingDown,
    StelaeError,
    UnsupportedCheckpoint,
    from_info,
)
from stelae.service.deployments import Deployments
from stelae.service.keepsakes import AGAIN_SECONDS, LOOKS, Keepsakes
from stelae.service.launch_files import check_engine, check_files
from stelae.service.launch_rules import (
    HIDDEN,
    check_gpus,
    check_launch,
    check_place,
    check_uid,
    unnamed_variant,
    wrong_kind,
)
from stelae.service.progress import coming, part_of, replica_info, stage_of
from stelae.service.registry import Registry
from stelae.service.store import Store
from stelae.telemetry.log import get
from stelae.types import LaunchCall, LaunchInfo, ModelState, ReplicaInfo, Stage

log = get()

DRAIN_SECONDS = 25.0
"""Time that calls of a model have to finish when it is taken down."""

ENDED = 256
"""Launches that failed or were cancelled, of which it is still told why."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A launch as it is kept for the next start of the server."""

    call: LaunchCall
    created: float


@dataclass(slots=True, eq=False)
class Launch:
    """A launched model.

    Attributes:
        call: What was asked, with the name that it came to.
        entry: The model as it is registered for it.
        created: Unix time.
        again: Whether it was launched before the server started: then it stays if it fails.
        loading: Its first load.
        ending: Its end, once that has begun.
        why: Why it ends early.
    """

    call: LaunchCall
    entry: ModelEntry
    created: float = field(default_factory=time.time)
    again: bool = False
    loading: asyncio.Task[None] | None = None
    ending: asyncio.Task[None] | None = None
    why: StelaeError | None = None

    @property
    def uid(self) -> str:
        """The name that it is served under."""
        return self.entry.name

    @property
    def coming_up(self) -> bool:
        """Whether its first load is under way."""
        return self.loading is not None and not self.loading.done()

    @property
    def up(self) -> bool:
        """Whether its first load is over, and its end has not begun."""
        return self.loading is not None and self.loading.done() and self.ending is None


class Launches:
    """Launches by uid; a launched model is an entry of the catalog like any other.

    Launching registers the entry and begins to load it; a call for it would do the same.

    Args:
        deployments: Loads models.
        registry: Has the models that users registered.
        store: Keeps launches for the next start of the server.
    """

    def __init__(self, deployments: Deployments, registry: Registry, store: Store) -> None:
        self._deployments = deployments
        self._registry = registry
        self._kept = Keepsakes(store, "launch")
        self._launches: dict[str, Launch] = {}
        self._ended: OrderedDict[str, LaunchInfo] = OrderedDict()
        self._resuming: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()
        self._chores: set[asyncio.Task[None]] = set()
        self._closed = False

    # -- life --------------------------------------------------------------------------------

    async def start(self) -> None:
        """Launch again what was launched when the server stopped; nobody waits for that."""
        if self._deployments.defaults.keeps and not await self._resumed():
            self._resuming = asyncio.create_task(self._resume(), name="launches-resume")

    async def stop(self, drain: float = 1.0) -> None:
        """Launch nothing any more; what is launched is so again when the server starts.

        Args:
            drain: Seconds for what is being taken down now.
        """
        self._closed = True
        tasks = [self._resuming, *(launch.loading for launch in self._launches.values())]
        under_way = [task for task in tasks if task is not None]
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        if self._chores:
            await asyncio.wait(self._chores, timeout=drain)

    async def _resume(self) -> None:
        for _ in range(LOOKS):
            await asyncio.sleep(AGAIN_SECONDS)
            if await self._resumed():
                return

    async def _resumed(self) -> bool:
        """Whether all is said that can be: launched again, or the store cannot be used."""
        kept = await self._kept.read()
        if kept is None:
            return False
        await self._registry.take_up()  # whose models may be among them
        for uid, data in kept:
            try:
                found = msgspec.json.decode(data, type=Kept)
                if uid not in self._launches:
                    self._begin(Launch(found.call, self._entry(found.call), found.created, True))
            except (msgspec.DecodeError, StelaeError) as error:
                log.warning("launch_left_out", model=uid, error=str(error))
        return True

    # -- up and down -------------------------------------------------------------------------

    async def launch(self, call: LaunchCall) -> LaunchInfo:
        """Begin to serve a model; returns as soon as that is under way.

        A model that cannot be loaded is not launched: ``info`` tells why for a while, and its
        uid is free.

        Raises:
            ModelNotFound: There is no such model.
            Forbidden: Callers may not launch what the server does not know by name.
            InvalidInput: It has no such variant, an option makes no sense, a folder is no
                checkpoint or no adapter, or the engine that is asked for cannot serve it.
            Conflict: The uid is taken.
            ShuttingDown: The server stops.
        """
        await self.check(call)  # first, since what is taken may change meanwhile
        if self._closed:
            raise ShuttingDown("the server is shutting down and launches nothing", retry_after=5.0)
        entry = self._entry(call)
        launch = Launch(replace(call, uid=entry.name), entry)
        self._begin(launch)
        await self._record(launch.uid)
        return self.info(launch.uid)

    async def check(self, call: LaunchCall) -> None:
        """Refuse what cannot be launched, whatever is launched now.

        Raises:
            StelaeError: As for ``launch``.
        """
        check_launch(call)
        known = self._known(call)
        await in_daemon(check_files, call)
        await self._check_engine(known, call)

    async def ready(self, uid: str) -> LaunchInfo:
        """Wait until a launched model answers; whoever stops waiting ends nothing.

        Raises:
            ModelNotFound: Nothing was launched under that uid.
            Cancelled: Its launch was cancelled, or it was taken down.
            StelaeError: It cannot be loaded, and why.
        """
        launch = self._launches.get(uid)
        if launch is not None and launch.loading is not None:
            await asyncio.wait([launch.loading])
            if launch.ending is not None:
                await asyncio.wait([launch.ending])
            if launch.why is not None:
                raise from_info(launch.why.info)
        info = self.info(uid)
        if info.error is not None and info.stage in (Stage.FAILED, Stage.CANCELLED):
            raise from_info(info.error)
        return info

    async def cancel(self, uid: str) -> LaunchInfo:
        """Stop a launch that is not ready; what was fetched stays in the hub's cache.

        Raises:
            ModelNotFound: Nothing was launched under that uid.
            Conflict: It is ready, or is being taken down.
        """
        launch = self._launched(uid)
        if not launch.coming_up or launch.ending is not None:
            raise Conflict(
                f"uid={uid[:128]!r}: it is not being launched, so there is nothing to cancel",
                param="uid",
                hint="terminate it, if it should not be served any more",
            )
        why = Cancelled(f"the launch of {uid!r} was cancelled")
        await asyncio.shield(self._end(launch, 0.0, why))
        return self.info(uid)

    async def terminate(self, uid: str) -> None:
        """Take a launched model down and forget it; its accepted calls are answered first.

        Raises:
            ModelNotFound: Nothing was launched under that uid.
        """
        launch = self._launched(uid)
        drain = 0.0 if launch.coming_up else DRAIN_SECONDS
        await asyncio.shield(self._end(launch, drain, Cancelled(f"{uid!r} was terminated")))
        self._ended.pop(uid, None)

    async def add_replica(self, uid: str, gpus: tuple[int, ...] | None = None) -> ReplicaInfo:
        """Load a launched model once more; returns when the replica answers.

        Args:
            uid: The model.
            gpus: GPUs of the replica; those that the launch gave if ``None``.

        Raises:
            ModelNotFound: Nothing was launched under that uid.
            InvalidInput: There are no such GPUs.
            ModelNotReady: The model is not loaded yet.
            StelaeError: It cannot be started, and why; the others are unharmed.
        """
        launch = self._launched(uid)
        check_gpus(gpus or ())
        replica = await self._deployments.add_replica(uid, gpus)
        await self._resize(launch)
        return replica_info(replica)

    async def remove_replica(self, uid: str, number: int) -> int:
        """Stop one replica of a launched model; without the last one the model is taken down.

        Returns:
            How many are left.

        Raises:
            ModelNotFound: Nothing was launched under that uid.
            NotFound: It has no replica of that number.
        """
        launch = self._launched(uid)
        left = await self._deployments.remove_replica(uid, number, DRAIN_SECONDS)
        if left == 0:
            await self.terminate(uid)
        else:
            await self._resize(launch)
        return left

    # -- what there is -----------------------------------------------------------------------

    def all(self) -> list[LaunchInfo]:
        """Every launched model, the oldest first; not those that failed or were cancelled."""
        return [self.info(uid) for uid in self._launches]

    def has(self, uid: str) -> bool:
        """Whether a model is launched under a uid, or being launched."""
        return uid in self._launches

    def info(self, uid: str) -> LaunchInfo:
        """How far a launch is, or why it ended early.

        Raises:
            ModelNotFound: Nothing was launched under that uid, or nobody remembers.
        """
        if (launch := self._launches.get(uid)) is None and (ended := self._ended.get(uid)):
            return ended
        launch = launch or self._launched(uid)
        rooms = self._deployments
        standing, replicas = rooms.standing(uid), rooms.controller.replicas(uid)
        stage, wanted = stage_of(standing, rooms.state(uid)), launch.call.replicas
        if launch.coming_up and stage in (Stage.READY, Stage.FAILED):
            stage = Stage.LOADING  # a first load is over once it is said to be
        elif launch.up and stage is Stage.PENDING:
            stage = Stage.READY  # it was unloaded, and the next call has it loaded again
        failures = [standing.error, *(replica.error for replica in replicas)]
        error = next(filter(None, failures), None) if stage is Stage.FAILED else None
        return LaunchInfo(
            uid=uid,
            call=shown(launch.call),
            stage=stage,
            progress=part_of(standing, stage, len(replicas), wanted),
            files=() if standing.fetching is None else standing.fetching.files,
            replicas=self._replicas(launch, stage),
            created=launch.created,
            error=None if error is None else error.info,
        )

    def _replicas(self, launch: Launch, stage: Stage) -> tuple[ReplicaInfo, ...]:
        there = {r.deployment.number: r for r in self._deployments.controller.replicas(launch.uid)}
        found = [replica_info(there[number]) for number in sorted(there)]
        if stage in (Stage.DOWNLOADING, Stage.LOADING):
            gpus = launch.entry.gpus or ((),)
            missing = [n for n in range(launch.call.replicas) if n not in there]
            found += [coming(number, gpus[number % len(gpus)]) for number in missing]
        return tuple(found)

    def _launched(self, uid: str) -> Launch:
        if (launch := self._launches.get(uid)) is None:
            raise ModelNotFound(f"uid={uid[:128]!r}: no model of that uid is launched", param="uid")
        return launch

    # -- the steps ---------------------------------------------------------------------------

    def _begin(self, launch: Launch) -> None:
        """Register a launch and begin to load it, in one turn of the loop."""
        rooms, uid = self._deployments, launch.uid
        rooms.catalog.cover(launch.entry)
        if rooms.state(uid) in (ModelState.AVAILABLE, ModelState.FAILED):
            rooms.known_anew(uid)
        self._launches[uid] = launch
        self._ended.pop(uid, None)
        launch.loading = asyncio.create_task(self._load(launch), name=f"launch-{uid}")
        log.info("launch_begun", model=uid, source=launch.entry.source)

    async def _load(self, launch: Launch) -> None:
        try:
            await self._deployments.load(launch.uid)
        except StelaeError as error:
            log.error("launch_failed", model=launch.uid, code=error.code, error=error.message)
            if not (launch.again or self._closed):
                self._end(launch, 0.0, await self._blamed(launch, error))

    async def _blamed(self, launch: Launch, error: StelaeError) -> StelaeError:
        """Why a load failed: what its caller asked for, if that was it."""
        if isinstance(error, UnsupportedCheckpoint):
            try:
                await self._check_engine(launch.entry, launch.call)
            except InvalidInput as mistake:
                return mistake
        return error

    async def _check_engine(self, entry: ModelEntry, call: LaunchCall) -> None:
        """Refuse an engine that cannot serve a model, if that can be told by now."""
        if call.engine is None:
            return
        spec = await in_daemon(self._deployments.catalog.here, entry)
        if spec is not None:
            check_engine(call.engine, spec)

    def _end(self, launch: Launch, drain: float, why: StelaeError) -> asyncio.Task[None]:
        """Begin to take a launch down, once, whoever wants it and waits for it."""
        if launch.ending is None:
            launch.why = why
            work = self._take_down(launch, drain, why)
            launch.ending = asyncio.create_task(work, name=f"terminate-{launch.uid}")
            self._chores.add(launch.ending)
            launch.ending.add_done_callback(self._chores.discard)
        return launch.ending

    async def _take_down(self, launch: Launch, drain: float, why: StelaeError) -> None:
        rooms, uid = self._deployments, launch.uid
        rooms.catalog.uncover(uid)  # first, so that no call begins to load it again
        if launch.loading is not None:
            launch.loading.cancel()
        info = self.info(uid)
        await rooms.unload(uid, drain)
        rooms.forget(uid)
        del self._launches[uid]
        stage = Stage.CANCELLED if isinstance(why, Cancelled) else Stage.FAILED
        self._ended[uid] = replace(info, stage=stage, replicas=(), progress=0.0, error=why.info)
        while len(self._ended) > ENDED:
            self._ended.popitem(last=False)
        await self._record(uid)
        log.info("launch_over", model=uid, stage=stage)

    async def _resize(self, launch: Launch) -> None:
        """Note how many replicas a launch has now, for its next load."""
        count = len(self._deployments.controller.replicas(launch.uid))
        if launch.ending is not None or count == 0:
            return
        launch.call = replace(launch.call, replicas=count)
        launch.entry = replace(launch.entry, replicas=count)
        self._deployments.catalog.cover(launch.entry)
        await self._record(launch.uid)

    async def _record(self, uid: str) -> None:
        """Have kept what is launched under a uid now, or nothing; also if the caller leaves."""
        if not self._deployments.defaults.keeps:
            return  # what is there was kept by others
        work = asyncio.create_task(self._write(uid), name=f"record-{uid}")
        self._chores.add(work)
        work.add_done_callback(self._chores.discard)
        await asyncio.shield(work)

    async def _write(self, uid: str) -> None:
        async with self._writing:  # one after the other, so that the last one counts
            launch = self._launches.get(uid)
            try:
                if launch is None:
                    await asyncio.to_thread(self._kept.drop, uid)
                else:
                    kept = Kept(call=launch.call, created=launch.created)
                    await asyncio.to_thread(self._kept.keep, uid, msgspec.json.encode(kept))
            except StelaeError as error:  # it is served all the same
                log.warning("launch_not_kept", model=uid, error=str(error))

    # -- what is meant -----------------------------------------------------------------------

    def _entry(self, call: LaunchCall) -> ModelEntry:
        """The entry that a call asks for, under a name that is free.

        Raises:
            StelaeError: As for ``launch``.
        """
        check_launch(call)
        known = self._known(call)
        if call.uid is not None:
            entry = _optioned(known, check_uid(call.uid), call)
            if self._taken(entry):
                raise Conflict(
                    f"uid={entry.name!r} is the name of another model that is served here",
                    param="uid",
                    hint="choose another uid, or take that model down first",
                )
            return entry
        name = name_of(Path(call.model)) if Path(call.model).is_absolute() else call.model
        entry = _optioned(known, check_uid(name), call)
        return _optioned(known, _lettered(name), call) if self._taken(entry) else entry

    def _known(self, call: LaunchCall) -> ModelEntry:
        """The model that is meant, in its variant and in its place."""
        catalog = self._deployments.catalog
        if call.path is not None or call.loras:
            self._check_anywhere("loras" if call.path is None else "path")
        if Path(call.model).is_absolute():
            self._check_anywhere("model")
            check_place(call.model, "model")
            plain = ModelEntry(name=name_of(Path(call.model)), source=call.model)
            return unnamed_variant(plain, call)
        card = catalog.card(call.model)
        if card is not None and call.kind is not None and call.kind != card.kind:
            raise wrong_kind(call.model, call.kind, card.kind)
        wish = Wish(format=call.format, size=call.size, quantization=call.quantization)
        try:
            known = catalog.variant(call.model, wish)
        except ModelNotFound:
            known = self._unnamed(call)
        if call.path is None:
            return known
        files = () if is_gguf(Path(call.path)) else known.files
        return replace(known, source=call.path, revision=None, files=files)

    def _unnamed(self, call: LaunchCall) -> ModelEntry:
        """A model that is in a folder or on the hub, and that nobody named here.

        Raises:
            ModelNotFound: It is neither.
            Forbidden: Callers may not launch such a model.
            InvalidInput: A variant of it is asked for.
        """
        if call.path is not None:
            check_name(call.model, param="model")
            return unnamed_variant(ModelEntry(name=call.model, source=call.path), call)
        known = self._deployments.catalog.on_hub(call.model)
        self._check_anywhere("model")
        return unnamed_variant(known, call)

    def _check_anywhere(self, param: str) -> None:
        if not self._deployments.defaults.anywhere:
            raise Forbidden(
                f"{param}: callers may launch only models that this server knows by name",
                param=param,
                hint="launch.sources = 'any' in the configuration lets them name others",
            )

    def _taken(self, entry: ModelEntry) -> bool:
        """Whether a name means another model that is served, or one of the configuration."""
        catalog, uid = self._deployments.catalog, entry.name
        owner = catalog.owner(uid)
        if uid in self._launches or owner not in (None, uid):
            return True
        if owner is None:
            return False
        there = catalog.entry(uid)
        if self._deployments.state(uid) not in (ModelState.AVAILABLE, ModelState.FAILED):
            return replace(entry, model=there.model, kind=there.kind) != there
        return catalog.card(uid) is None and _weights(there) != _weights(entry)


def _optioned(known: ModelEntry, uid: str, call: LaunchCall) -> ModelEntry:
    """A model under a name, with what its launch asks for.

    Raises:
        InvalidInput: The name cannot be one.
    """
    check_name(uid, param="uid")
    return replace(
        known,
        name=uid,
        aliases=known.aliases if uid == known.name else (),
        model=call.model,
        kind=call.kind,
        engine=call.engine or known.engine,
        dtype=call.dtype or known.dtype,
        replicas=call.replicas,
        gpus=call.gpus,
        calls=call.calls,
        loras={**known.loras, **call.loras},
        max_tokens=call.max_tokens or known.max_tokens,
        cache_tokens=call.cache_tokens,
        batch_tokens=call.batch_tokens or known.batch_tokens,
        thinking=call.thinking,
        environment=call.environment,
        pinned=call.pinned,
        idle_seconds=call.idle_seconds,
    )


def _weights(entry: ModelEntry) -> tuple[str, str | None, tuple[str, ...]]:
    return entry.source, entry.revision, entry.files


def _lettered(name: str) -> str:
    """A name with a few letters after it."""
    letters = string.ascii_lowercase + string.digits
    return check_uid(f"{name}-{''.join(secrets.choice(letters) for _ in range(8))}")


def shown(call: LaunchCall) -> LaunchCall:
    """A call without the values of its variables, which may be secrets."""
    return replace(call, environment=dict.fromkeys(call.environment, HIDDEN))
