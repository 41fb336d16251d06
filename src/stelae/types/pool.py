"""Pools: named sets of workers that callers lease."""

from __future__ import annotations

from enum import StrEnum

import msgspec

LEASE_SECONDS = 1200.0
"""Seconds that a pool lives after it was made or renewed."""


class PoolState(StrEnum):
    """Whether a pool has the workers it asks for."""

    PENDING = "pending"
    ACTIVE = "active"
    EXPIRED = "expired"


class PoolSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a pool should be.

    Attributes:
        name: Its name; capitals make no difference.
        gpus: Workers wanted, by machine profile; empty for any worker.
        gpu_caps: Workers at most, by machine profile.
        queue_pool: The pool whose queue it shares.
        bundle: The bundle that its workers run.
        minimum_worker_count: Workers kept warm.
        pinned_models: Models that its workers keep loaded.
        ttl_seconds: Seconds that it lives without renewal.
    """

    name: str
    gpus: dict[str, int] = {}
    gpu_caps: dict[str, int] = {}
    queue_pool: str | None = None
    bundle: str | None = None
    minimum_worker_count: int | None = None
    pinned_models: tuple[str, ...] = ()
    ttl_seconds: float = LEASE_SECONDS


class Assigned(msgspec.Struct, frozen=True, kw_only=True):
    """A worker of a pool.

    Attributes:
        name: The worker.
        profile: What its machine is.
    """

    name: str
    profile: str


class Pool(msgspec.Struct, frozen=True, kw_only=True):
    """A pool as it stands.

    Attributes:
        spec: What it should be.
        state: Whether it has that.
        workers: The workers it has.
        created_at: Unix time at which it was made.
        last_renewed: Unix time of the last renewal.
    """

    spec: PoolSpec
    state: PoolState
    workers: tuple[Assigned, ...]
    created_at: float
    last_renewed: float
