"""What a server has to give at one moment."""

from __future__ import annotations

import msgspec

from stelae.types.model import ModelInfo


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    """A machine that answers calls.

    Attributes:
        name: Names it among others.
        profile: What it is: ``cpu``, or the name of its GPU.
        gpus: Full names of its GPUs.
        healthy: Whether all its models answer.
        models: Models loaded on it.
        queue_calls: Calls accepted and not yet answered.
        queue_tokens: Tokens of these calls.
        busy: Models that have calls to answer.
        memory_used_bytes: Memory in use on the machine.
        memory_total_bytes: Memory of the machine.
    """

    name: str
    profile: str
    gpus: tuple[str, ...] = ()
    healthy: bool = True
    models: tuple[str, ...] = ()
    queue_calls: int = 0
    queue_tokens: int = 0
    busy: int = 0
    memory_used_bytes: int = 0
    memory_total_bytes: int = 0


class ModelLoad(msgspec.Struct, frozen=True, kw_only=True):
    """A model and what waits for it.

    Attributes:
        info: The model.
        queue_calls: Calls accepted and not yet answered.
        queue_tokens: Tokens of these calls.
    """

    info: ModelInfo
    queue_calls: int = 0
    queue_tokens: int = 0


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """Workers and models at one moment.

    Attributes:
        time: Unix time of it.
        workers: Workers that take calls; none while the server shuts down.
        models: All models, loaded or not.
        profiles: Machine profiles that can be asked for.
        calls_per_second: Calls taken on, averaged over the last seconds.
    """

    time: float
    workers: tuple[Worker, ...] = ()
    models: tuple[ModelLoad, ...] = ()
    profiles: tuple[str, ...] = ()
    calls_per_second: float = 0.0
