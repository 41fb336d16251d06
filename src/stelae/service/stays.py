"""What is known of each model's stay in memory: its calls, its age, what it holds."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from stelae.cluster.controller import Controller
from stelae.cluster.deployment import Deployment
from stelae.cluster.replica import Replica
from stelae.service.eviction import Holding

Manner = tuple[str, ...]
"""What the memory of a replica depends on: its checkpoint and number format."""


class Reason(StrEnum):
    """Why a model was unloaded that nobody had asked to unload."""

    IDLE = "idle"
    MEMORY = "memory"


@dataclass(slots=True)
class Stay:
    """What is known of one model's stay; times in seconds, sizes in bytes.

    Attributes:
        pinned: Whether it stays, whatever happens.
        idle: Time without calls after which it goes, if not the usual.
        uses: Calls for it that are under way, those that wait for its load included.
        used: When the latest of them ended.
        since: When it was loaded.
        claimed: Memory that it may come to while it is being loaded.
        estimate: Memory of one of its replicas by its files.
        manner: How it was loaded when it was ``measured``.
        measured: Memory of its largest replica when it was last looked at.
        going: Whether it is being unloaded because nobody uses it.
        rests: How often it was unloaded so, by reason.
    """

    pinned: bool = False
    idle: float | None = None
    uses: int = 0
    used: float = 0.0
    since: float = 0.0
    claimed: int = 0
    estimate: int = 0
    manner: Manner = ()
    measured: int = 0
    going: bool = False
    rests: Counter[Reason] = field(default_factory=Counter)

    @property
    def unused(self) -> bool:
        """Whether nobody would miss it now."""
        return not (self.pinned or self.uses or self.claimed or self.going)


class Stays:
    """The stays of all models.

    Args:
        controller: Has the replicas.
        clock: Tells the time in seconds.
    """

    def __init__(self, controller: Controller, clock: Callable[[], float] = time.monotonic) -> None:
        self._controller = controller
        self._clock = clock
        self._stays: dict[str, Stay] = {}

    def of(self, name: str) -> Stay:
        """The stay of a model; one that was not heard of came just now."""
        stay = self._stays.get(name)
        if stay is None:
            now = self._clock()
            self._stays[name] = stay = Stay(used=now, since=now)
        return stay

    def forget(self, name: str) -> None:
        """Know nothing of a model any more, unless something of it is under way."""
        if (stay := self._stays.get(name)) and not (stay.uses or stay.claimed or stay.going):
            del self._stays[name]

    @contextmanager
    def using(self, name: str) -> Iterator[None]:
        """Count a call for a model while it is under way."""
        stay = self.begin(name)
        try:
            yield
        finally:
            self.end(stay)

    def begin(self, name: str) -> Stay:
        """A call for a model begins; ``end`` must follow."""
        stay = self.of(name)
        stay.uses += 1
        return stay

    def end(self, stay: Stay) -> None:
        """A call for a model is over."""
        stay.uses -= 1
        stay.used = self._clock()

    def came(self, name: str) -> None:
        """A model was loaded."""
        stay = self.of(name)
        stay.since = stay.used = self._clock()

    def held(self, name: str) -> int:
        """Bytes that a model holds, or has claimed."""
        stay, there = self.of(name), self._controller.replicas(name)
        measured = (stay.estimate if _shared(r) else r.memory_bytes for r in there)
        return max(stay.claimed, sum(measured))

    def pinned(self, beside: str) -> int:
        """Bytes that pinned models hold, without one of them."""
        names = [n for n, stay in self._stays.items() if stay.pinned and n != beside]
        return sum(self.held(name) for name in names)

    def holdings(self, residency: float) -> list[Holding]:
        """All models that hold memory, or have claimed it.

        Args:
            residency: Time that a model stays once it is loaded.
        """
        now = self._clock()
        return [self._holding(name, now - residency) for name in self._there()]

    def idle(self, usual: float | None) -> list[str]:
        """Models that nobody has used for as long as they may be unused.

        Args:
            usual: That time for models that have none of their own; ``None`` for any.
        """
        found = []
        for name in self._there():
            stay = self.of(name)
            most = usual if stay.idle is None else stay.idle
            if most is not None and stay.unused and self._clock() >= stay.used + most:
                found.append(name)
        return found

    def measure(self) -> None:
        """Remember what each model takes, for when it is loaded again."""
        largest: Counter[str] = Counter()
        for replica in self._controller.replicas():
            if not _shared(replica) and replica.memory_bytes > largest[replica.name]:
                stay, largest[replica.name] = self.of(replica.name), replica.memory_bytes
                stay.manner, stay.measured = manner_of(replica.deployment), replica.memory_bytes

    def _there(self) -> list[str]:
        names = {replica.name for replica in self._controller.replicas()}
        return sorted(names | {name for name, stay in self._stays.items() if stay.claimed})

    def _holding(self, name: str, before: float) -> Holding:
        stay = self.of(name)
        free = stay.unused and stay.since <= before
        return Holding(name=name, bytes=self.held(name), used=stay.used, free=free)


def manner_of(deployment: Deployment) -> Manner:
    """How a model is loaded."""
    return deployment.spec.folder, deployment.options.dtype.value


def _shared(replica: Replica) -> bool:
    """Whether it shares its process with others, so that its memory cannot be measured."""
    return replica.vitals.pid == os.getpid()
