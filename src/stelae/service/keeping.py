"""How long models stay in memory, and who makes way for whom."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import Any

import msgspec

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry, is_local
from stelae.catalog.hub_room import said
from stelae.catalog.weighing import Weight
from stelae.cluster.controller import Controller
from stelae.cluster.daemon import in_daemon
from stelae.cluster.deployment import Deployment
from stelae.errors import ModelTooLarge, NoCapacity
from stelae.service.eviction import Holding, chosen, total
from stelae.service.footprint import Footprint, footprint
from stelae.service.stays import Reason, Stay, Stays, manner_of
from stelae.telemetry.log import get
from stelae.types import ComputeDtype

log = get()

INTERVAL = 1.0
"""Seconds between two looks at what is loaded."""

DRAIN = 5.0
"""Seconds that what a model nobody uses still does, such as a health check, has to finish."""

LATER = 5.0
"""Seconds after which to ask again for a model for which no room came free in time."""


class Keep(msgspec.Struct, frozen=True, kw_only=True):
    """How long models are kept, and in how much memory; times in seconds.

    Attributes:
        memory_bytes: Memory of all models together; ``None`` for as much as there is.
        idle: Time without calls after which a model is unloaded; ``None`` for never.
        residency: Time that a model stays once it is loaded, whoever else needs room.
        patience: How long a load waits for room.
        on_cards: Whether weights lie in the memory of graphics cards.
    """

    memory_bytes: int | None = None
    idle: float | None = None
    residency: float = 30.0
    patience: float = 60.0
    on_cards: bool = False


class Keeping:
    """Unloads models that nobody uses, and makes room for those that are to be loaded.

    What a model holds is measured, not guessed, once it is loaded. A model that a call is
    under way for never goes; one that a call comes for while it goes is loaded again.

    Args:
        catalog: Knows what checkpoints weigh.
        controller: Has the replicas.
        keep: How long, and in how much memory.
        unload: Unloads a model; what it still does has so many seconds to finish.
        clock: Tells the time in seconds.
    """

    def __init__(
        self,
        catalog: Catalog,
        controller: Controller,
        keep: Keep,
        unload: Callable[[str, float], Coroutine[Any, Any, None]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._catalog = catalog
        self._keep = keep
        self._unload = unload
        self._clock = clock
        self._stays = Stays(controller, clock)
        self._weights: dict[str, tuple[ModelEntry, Weight]] = {}
        self._going: dict[str, asyncio.Task[None]] = {}
        self._making = asyncio.Lock()
        self._changed = asyncio.Event()

    # -- use ---------------------------------------------------------------------------------

    @contextmanager
    def using(self, name: str) -> Iterator[None]:
        """Keep a model where it is, loaded or to be loaded, for the time of a call."""
        try:
            with self._stays.using(name):
                yield
        finally:
            self._changed.set()

    def begin(self, name: str) -> Stay:
        """A call for a model begins, which keeps it where it is; ``end`` must follow."""
        return self._stays.begin(name)

    def end(self, stay: Stay) -> None:
        """A call for a model is over."""
        self._stays.end(stay)
        self._changed.set()

    def going(self, name: str) -> bool:
        """Whether a model is being unloaded here, so that a call must load it again."""
        return name in self._going

    def rests(self, name: str) -> dict[str, int]:
        """How often a model was unloaded here, by reason."""
        rests = self._stays.of(name).rests
        return {reason.value: rests[reason] for reason in Reason}

    def forget(self, name: str) -> None:
        """Keep nothing of a model that is there no more."""
        self._weights.pop(name, None)
        self._stays.forget(name)

    # -- room --------------------------------------------------------------------------------

    async def check(self, entry: ModelEntry, dtype: ComputeDtype) -> None:
        """Refuse a model that cannot fit, before its weights are fetched.

        Args:
            entry: The model.
            dtype: Number format to compute in.

        Raises:
            ModelTooLarge: It needs more than models may take, or than those leave that are
                pinned; the message has the sum.
            StelaeError: What it is cannot be found out, and why.
        """
        if (most := self._keep.memory_bytes) is not None:
            self._check_fits(entry.name, await self._guess(entry, dtype), entry.replicas, most)

    @asynccontextmanager
    async def room(
        self, entry: ModelEntry, deployment: Deployment, replicas: int
    ) -> AsyncIterator[None]:
        """Have room for replicas of a model while they are loaded.

        Models that nobody uses go for it, the longest unused first. Whoever needs room first
        gets it first.

        Raises:
            ModelTooLarge: It cannot fit, as things stand.
            NoCapacity: No room came free in time.
        """
        with self.using(entry.name):  # what it has loaded already must not go
            stay = self._stays.of(entry.name)
            stay.pinned, stay.idle = entry.pinned, entry.idle_seconds
            if (most := self._keep.memory_bytes) is not None:
                each = await self._each(entry, deployment, replicas, most)
                await self._claim(entry.name, each, replicas, most)
            try:
                yield
                self._stays.came(entry.name)
            finally:
                stay.claimed = 0

    async def _guess(self, entry: ModelEntry, dtype: ComputeDtype) -> Footprint:
        known = self._weights.get(entry.name)
        if known is None or known[0] != entry or is_local(entry.source):  # a folder may change
            known = entry, await in_daemon(self._catalog.weigh, entry)
            self._weights[entry.name] = known
        return footprint(known[1], dtype, on_card=self._keep.on_cards)

    async def _each(
        self, entry: ModelEntry, deployment: Deployment, replicas: int, most: int
    ) -> Footprint:
        """What a replica takes: as measured when it was last loaded so, else by its files.

        What it once grew to does not keep it out for ever: it gets all that there may be.
        """
        stay = self._stays.of(entry.name)
        guess = await self._guess(entry, deployment.options.dtype)
        stay.estimate = guess.bytes
        if stay.measured and stay.manner == manner_of(deployment):
            left = most - self._stays.pinned(beside=entry.name)
            return Footprint(measured=min(stay.measured, max(guess.bytes, left // replicas)))
        return guess

    async def _claim(self, name: str, each: Footprint, replicas: int, most: int) -> None:
        need, end = each.bytes * replicas, self._clock() + self._keep.patience
        async with self._making:
            while (short := need + total(self._holdings()) - most) > 0:
                self._check_fits(name, each, replicas, most)
                going = chosen(self._holdings(), short)
                if self._going:
                    await self.close()
                elif total(going) >= short:
                    await asyncio.gather(*(self._rest(h.name, Reason.MEMORY) for h in going))
                else:
                    await self._wait(name, need, end)
            self._stays.of(name).claimed = self._stays.held(name) + need

    def _check_fits(self, name: str, each: Footprint, replicas: int, most: int) -> None:
        need, pinned = each.bytes * replicas, self._stays.pinned(beside=name)
        held = 0 if self.going(name) else self._stays.held(name)  # by replicas that stay
        if need + held + pinned <= most:
            return
        left = f", of which its other replicas hold {said(held)}" if held else ""
        left += f", of which pinned models hold {said(pinned)}" if pinned else ""
        times = f" for each of {replicas} replicas" if replicas > 1 else ""
        raise ModelTooLarge(
            f"model {name!r} needs about {said(need)} of memory ({each}{times}), and models may "
            f"take {said(most)} here{left}",
            hint="raise limits.memory_bytes, or choose a smaller model, dtype or quantization",
            details={
                "needed_bytes": need,
                "most_bytes": most,
                "pinned_bytes": pinned,
                "held_bytes": held,
            },
        )

    async def _wait(self, name: str, need: int, end: float) -> None:
        """Wait for something to change."""
        if self._clock() >= end:
            raise NoCapacity(
                f"model {name!r} needs about {said(need)} of memory, and no room came free: the "
                "models that hold it are in use, or were only just loaded",
                retry_after=LATER,
            )
        self._changed.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), INTERVAL)

    def _holdings(self) -> list[Holding]:
        return self._stays.holdings(self._keep.residency)

    # -- going -------------------------------------------------------------------------------

    async def watch(self) -> None:
        """Look at what is loaded for as long as this runs."""
        while True:
            await self.look()
            await asyncio.sleep(INTERVAL)

    async def look(self) -> None:
        """Measure what is loaded; unload what nobody has used for long, and what is too much."""
        self._changed.set()  # models have grown older, and perhaps larger
        self._stays.measure()
        going = dict.fromkeys(self._stays.idle(self._keep.idle), Reason.IDLE)
        if self._keep.memory_bytes is not None:
            gone = {*going, *self._going}
            left = [each for each in self._holdings() if each.name not in gone]
            over = total(left) - self._keep.memory_bytes
            going |= dict.fromkeys((each.name for each in chosen(left, over)), Reason.MEMORY)
        rests = [self._rest(name, reason) for name, reason in going.items()]
        await asyncio.gather(*rests, return_exceptions=True)  # errors are logged by then

    async def close(self) -> None:
        """Wait until nothing is being unloaded here."""
        await asyncio.gather(*self._going.values(), return_exceptions=True)

    def _rest(self, name: str, reason: Reason) -> Awaitable[None]:
        """Unload a model; whoever waits for that may leave, and it goes on."""
        if name not in self._going:
            self._stays.measure()
            stay, held = self._stays.of(name), self._stays.held(name)
            stay.rests[reason] += 1
            stay.going = True
            log.info("model_evicted", model=name, reason=reason.value, memory_bytes=held)
            task = asyncio.create_task(self._unload(name, DRAIN), name=f"rest-{name}")
            self._going[name] = task
            task.add_done_callback(partial(self._gone, name))
        return asyncio.shield(self._going[name])

    def _gone(self, name: str, task: asyncio.Task[None]) -> None:
        del self._going[name]
        self._stays.of(name).going = False
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("model_eviction_failed", model=name, error=str(error))
        self._changed.set()
