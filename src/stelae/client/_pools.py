"""Pools and capacity as callers write and read them: pure, shared by both clients."""

from __future__ import annotations

import msgspec

from stelae.errors import InvalidInput, Provisioning
from stelae.types import Capacity, PoolSpec


def of_kind(seen: Capacity, gpu: str | None) -> Capacity:
    """The same with only the workers of a kind of machine; capitals make no difference."""
    if gpu is None:
        return seen
    wanted = gpu.rpartition("/")[2].casefold()
    workers = tuple(worker for worker in seen.workers if worker.profile.casefold() == wanted)
    return msgspec.structs.replace(seen, workers=workers)


def spec_of(name: str, gpus: dict[str, int] | None, ttl_seconds: float) -> PoolSpec:
    """A pool as it is asked for.

    Raises:
        InvalidInput: An argument is of the wrong type.
    """
    fields = {"name": name, "gpus": gpus or {}, "ttl_seconds": ttl_seconds}
    try:
        return msgspec.convert(fields, PoolSpec)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"an argument of create_pool is wrong: {error}") from error


def none_came(gpu: str, seconds: float) -> Provisioning:
    """What is raised when no worker of a kind came in time."""
    return Provisioning(
        f"no worker of the kind {gpu!r} came in {seconds:g} s",
        hint="capacity() tells what is there",
        details={"gpu": gpu},
    )
