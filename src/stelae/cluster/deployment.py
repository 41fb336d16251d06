"""What is to run: a model with the engine and the options chosen for it."""

from __future__ import annotations

import msgspec

from stelae.catalog.spec import ModelSpec
from stelae.engines.base import EngineOptions
from stelae.scheduler.queue import Limits


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """A model launched with options; all that a worker needs to load it.

    Attributes:
        name: Name it is served under.
        spec: The model.
        engine: Name of the engine that serves it.
        reason: Why that engine.
        others: Engines that take its place, in order, where it finds only on loading
            that it cannot serve the model.
        options: How the engine loads it.
        limits: Bounds of its queue.
        number: Which of the replicas of that name it is, from 0.
        gpus: GPUs that its worker process sees; none at all if empty, ``None`` for those that
            the server sees.
        environment: Variables that its worker process gets beside the server's.
    """

    name: str
    spec: ModelSpec
    engine: str
    reason: str = ""
    others: tuple[str, ...] = ()
    options: EngineOptions = EngineOptions()
    limits: Limits = Limits()
    number: int = 0
    gpus: tuple[int, ...] | None = None
    environment: dict[str, str] = {}
