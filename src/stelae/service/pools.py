"""Pools: named sets of workers, leased for a time.

This server is one worker, so that a pool holds it or nothing. Pools live in memory
alone: a server that starts anew has only the pool ``default``, which always is there.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from msgspec.structs import replace

from stelae.errors import Conflict, Forbidden, InvalidInput, PoolNotFound, Provisioning
from stelae.service.profiles import WORKER, Profiles
from stelae.types import Assigned, Pool, PoolSpec, PoolState

DEFAULT = "default"
"""The pool that always is there."""

MOST_POOLS = 1000
"""Pools at once; callers that make more have forgotten to delete or to name them."""

LONGEST_LEASE = 30 * 86_400.0
"""Longest ``ttl_seconds``."""

MOST_BYTES = 16 * 1024
"""Size of a pool's description as JSON at most: it is kept."""

RETRY_SECONDS = 5.0
"""Seconds after which it is worth asking again for a machine that is not here."""

_NAME = re.compile(r"[^\s/?#%\\\x00-\x1f\x7f]{1,128}")

_SHIFT = time.time() - time.monotonic()


def steady_time() -> float:
    """Unix time that does not jump when the clock is set."""
    return _SHIFT + time.monotonic()


@dataclass(slots=True)
class _Lease:
    """A pool that was made, until its lease ends."""

    spec: PoolSpec
    created: float
    renewed: float

    def over(self, now: float) -> bool:
        return now - self.renewed >= self.spec.ttl_seconds


class Pools:
    """Makes, renews and forgets pools, and tells who may be served by which.

    Args:
        profiles: The machine profiles there are.
        clock: Tells the time in seconds; leases are counted by it.
    """

    def __init__(
        self, profiles: Profiles | None = None, clock: Callable[[], float] = steady_time
    ) -> None:
        self.profiles = profiles or Profiles()
        self._clock = clock
        now = clock()
        self._default = _Lease(PoolSpec(name=DEFAULT), now, now)
        self._leases: dict[str, _Lease] = {}

    # -- the pools ---------------------------------------------------------------------------

    def create(self, spec: PoolSpec) -> Pool:
        """Make a pool, or change and renew the one of that name, which keeps its spelling.

        Raises:
            InvalidInput: The name, a number of workers or the lease is out of bounds.
            Conflict: There are too many pools.
        """
        _check(spec)
        now = self._clock()
        lease = self._find(spec.name)
        if lease is self._default:
            raise Forbidden(f"the pool {DEFAULT!r} cannot be changed: it serves all other calls")
        if lease is None:
            if len(self._leases) >= MOST_POOLS:
                raise Conflict(
                    f"there are {MOST_POOLS} pools, which is the most",
                    hint="delete some, or wait until their leases end",
                )
            lease = self._leases[spec.name.casefold()] = _Lease(spec, now, now)
        lease.spec = replace(spec, name=lease.spec.name)
        lease.renewed = now
        return self._pool(lease)

    def get(self, name: str) -> Pool:
        """The pool of a name.

        Raises:
            PoolNotFound: There is none, or its lease has ended.
        """
        return self._pool(self._lease(name))

    def all(self) -> list[Pool]:
        """Every pool, the default one first."""
        self._forget()
        return [self._pool(lease) for lease in (self._default, *self._leases.values())]

    def renew(self, name: str) -> Pool:
        """Begin the lease of a pool anew.

        Raises:
            PoolNotFound: There is none, or its lease has ended.
        """
        lease = self._lease(name)
        lease.renewed = self._clock()
        return self._pool(lease)

    def delete(self, name: str) -> None:
        """Forget a pool.

        Raises:
            Forbidden: It is the default one.
            PoolNotFound: There is none, or its lease has ended.
        """
        if self._lease(name) is self._default:
            raise Forbidden(f"the pool {DEFAULT!r} cannot be deleted: it serves all other calls")
        del self._leases[name.casefold()]

    # -- who is served -----------------------------------------------------------------------

    def admit(self, pool: str | None, machine: str | None) -> None:
        """Check that a call for a pool, a machine profile or both can be answered here.

        A pool that is used is renewed by that.

        Raises:
            PoolNotFound: There is no such pool.
            InvalidInput: No such profile is configured, or the pool has none of it.
            Provisioning: There is one, but not here now.
        """
        lease = None if pool is None else self._lease(pool)
        if lease is not None:
            lease.renewed = self._clock()
        if machine is not None:
            self._admit_machine(lease, machine)
        elif lease is not None and not self._live(lease.spec):
            wanted = self._wanted(lease.spec) or [
                self.profiles.resolve(next(iter(lease.spec.gpus)))
            ]
            raise _provisioning(wanted[0])

    def _admit_machine(self, lease: _Lease | None, machine: str) -> None:
        profile = self.profiles.resolve(machine)
        if lease is not None and lease.spec.gpus and profile not in self._wanted(lease.spec):
            raise InvalidInput(
                f"pool {lease.spec.name!r} has no machine {machine[:100]!r}; it was made with "
                f"{', '.join(lease.spec.gpus)}",
                param="gpu",
                hint="make the pool again with it",
            )
        if not self.profiles.live(profile):
            raise _provisioning(machine)

    def _wanted(self, spec: PoolSpec) -> list[str]:
        """The profiles of a pool that are configured."""
        found = [self.profiles.find(name) for name, count in spec.gpus.items() if count]
        return [profile for profile in found if profile is not None]

    def _live(self, spec: PoolSpec) -> bool:
        """Whether this server is a worker of the pool."""
        wanted = self._wanted(spec)
        return not any(spec.gpus.values()) or any(map(self.profiles.live, wanted))

    # -- leases ------------------------------------------------------------------------------

    def _pool(self, lease: _Lease) -> Pool:
        live = self._live(lease.spec)
        here = (Assigned(name=WORKER, profile=self.profiles.own),) if live else ()
        whole = live and self._whole(lease.spec)
        return Pool(
            spec=lease.spec,
            state=PoolState.ACTIVE if whole else PoolState.PENDING,
            workers=here,
            created_at=lease.created,
            last_renewed=lease.renewed,
        )

    def _whole(self, spec: PoolSpec) -> bool:
        """Whether every profile asked for is here."""
        asked = [name for name, count in spec.gpus.items() if count]
        found = [self.profiles.find(name) for name in asked]
        return all(profile is not None and self.profiles.live(profile) for profile in found)

    def _lease(self, name: str) -> _Lease:
        lease = self._find(name)
        if lease is None:
            raise PoolNotFound(
                f"pool {name[:128]!r} is not known here",
                param="pool",
                hint="make it first, and renew it before its lease ends",
            )
        return lease

    def _find(self, name: str) -> _Lease | None:
        self._forget()
        key = name.casefold()
        return self._default if key == DEFAULT else self._leases.get(key)

    def _forget(self) -> None:
        now = self._clock()
        for key in [key for key, lease in self._leases.items() if lease.over(now)]:
            del self._leases[key]


def _provisioning(gpu: str) -> Provisioning:
    return Provisioning(
        f"machine profile {gpu[:100]!r} is configured, but no such machine serves here now",
        retry_after=RETRY_SECONDS,
        details={"gpu": gpu[:100]},
    )


def _check(spec: PoolSpec) -> None:
    if len(msgspec.json.encode(spec)) > MOST_BYTES:
        raise InvalidInput(f"the description of a pool has at most {MOST_BYTES} bytes")
    if not _NAME.fullmatch(spec.name):
        raise InvalidInput(
            f"pool name {spec.name[:128]!r} must have 1 to 128 characters, without spaces "
            "and without / ? # %",
            param="name",
        )
    for field in ("gpus", "gpu_caps"):
        for profile, count in getattr(spec, field).items():
            if count < 0:
                raise InvalidInput(
                    f"{field}: {profile!r} must be 0 or more, not {count}", param=field
                )
    if spec.minimum_worker_count is not None and spec.minimum_worker_count < 0:
        raise InvalidInput("minimum_worker_count must be 0 or more", param="minimum_worker_count")
    if not (math.isfinite(spec.ttl_seconds) and 0 < spec.ttl_seconds <= LONGEST_LEASE):
        raise InvalidInput(
            f"ttl_seconds must be over 0 and at most {LONGEST_LEASE:.0f}", param="ttl_seconds"
        )
