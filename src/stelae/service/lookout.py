"""What the server has to give now: one look for all who ask within a moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import psutil

from stelae.service.admission import Admission
from stelae.service.fleet import Fleet
from stelae.service.pools import steady_time
from stelae.service.profiles import WORKER, Profiles
from stelae.types import Capacity, ModelLoad, ModelState, Worker

FRESH = 0.1
"""Seconds for which a look answers all who ask."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What this machine is among those that callers may ask for.

    Attributes:
        profiles: The profiles there are, this machine's first.
        gpus: Full names of its GPUs that models may run on.
    """

    profiles: Profiles = field(default_factory=Profiles)
    gpus: tuple[str, ...] = ()


class Lookout:
    """Tells of workers and models; asks nobody, so that it may be asked often.

    Args:
        fleet: Knows the models.
        admission: Knows what is under way.
        machine: What this machine is.
        clock: Tells the time in seconds.
    """

    def __init__(
        self,
        fleet: Fleet,
        admission: Admission,
        machine: Machine,
        clock: Callable[[], float] = steady_time,
    ) -> None:
        self._fleet = fleet
        self._admission = admission
        self._machine = machine
        self._clock = clock
        self._seen: Capacity | None = None

    def capacity(self) -> Capacity:
        """Workers and models as they are now, or were a moment ago."""
        now = self._clock()
        if self._seen is None or not 0 <= now - self._seen.time < FRESH:
            self._seen = self._look(now)
        return self._seen

    def _look(self, now: float) -> Capacity:
        models = self._models()
        return Capacity(
            time=now,
            workers=() if self._admission.closed else (self._worker(models),),
            models=models,
            profiles=self._machine.profiles.configured,
            calls_per_second=self._admission.rate.per_second(time.monotonic()),
        )

    def _models(self) -> tuple[ModelLoad, ...]:
        fleet = self._fleet
        return tuple(
            ModelLoad(info=info, queue_calls=sample.queue_calls, queue_tokens=sample.queue_tokens)
            for info, sample in zip(fleet.models(), fleet.samples(), strict=True)
        )

    def _worker(self, models: tuple[ModelLoad, ...]) -> Worker:
        memory = psutil.virtual_memory()
        return Worker(
            name=WORKER,
            profile=self._machine.profiles.own,
            gpus=self._machine.gpus,
            healthy=self._fleet.ready().ready,
            models=tuple(m.info.name for m in models if m.info.state is ModelState.READY),
            queue_calls=sum(m.queue_calls for m in models),
            queue_tokens=sum(m.queue_tokens for m in models),
            busy=sum(m.queue_calls > 0 for m in models),
            memory_used_bytes=memory.total - memory.available,
            memory_total_bytes=memory.total,
        )
