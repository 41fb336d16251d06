"""Models that are launched whenever the server starts."""

from __future__ import annotations

import asyncio
import math

import msgspec
from msgspec.structs import replace

from stelae.errors import Conflict, InvalidInput, ModelNotFound, StelaeError
from stelae.service.keepsakes import AGAIN_SECONDS, LOOKS, Keepsakes
from stelae.service.launch_rules import HIDDEN, check_launch, check_uid
from stelae.service.launches import Launches, shown
from stelae.service.registry import Registry
from stelae.service.store import Store
from stelae.telemetry.log import get
from stelae.types import Autostart

log = get()

MOST = 1_000
"""Models that a server starts with."""

MOST_RETRIES, MOST_SECONDS = 100, 86_400.0


class Autostarts:
    """What is launched at start, by uid.

    Args:
        launches: Launches it.
        registry: Has the models that users registered.
        store: Keeps it.
    """

    def __init__(self, launches: Launches, registry: Registry, store: Store) -> None:
        self._launches = launches
        self._registry = registry
        self._kept = Keepsakes(store, "autostart")
        self._plans: dict[str, Autostart] = {}
        self._starting: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Launch what is enabled and not launched already; nobody waits for that."""
        self._starting = asyncio.create_task(self._start(), name="autostart")

    async def stop(self) -> None:
        """Launch nothing any more."""
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)

    def all(self) -> list[Autostart]:
        """What is launched at start, in the order of that."""
        ordered = sorted(self._plans.values(), key=lambda plan: plan.priority)
        return [replace(plan, launch=shown(plan.launch)) for plan in ordered]

    def get(self, uid: str) -> Autostart:
        """What is launched at start under a uid.

        Raises:
            ModelNotFound: Nothing is.
        """
        plan = self._plan(uid)
        return replace(plan, launch=shown(plan.launch))

    async def put(self, plan: Autostart) -> Autostart:
        """Have a model launched at start, in place of what was so under its uid.

        Args:
            plan: What to launch; a value of a variable that is ``***`` stays as it was.

        Raises:
            InvalidInput: It has no uid, or an option makes no sense.
            ModelNotFound: There is no such model.
            Forbidden: Callers may not launch what the server does not know by name.
            Conflict: There are too many.
            StelaeError: The store cannot be used now.
        """
        before = self._plans.get((plan.launch.uid or "").strip())
        plan = _checked(_with_secrets(plan, before))
        await self._launches.check(plan.launch)
        uid = plan.launch.uid or ""
        if uid not in self._plans and len(self._plans) >= MOST:
            raise Conflict(f"there are {MOST} models that start with the server, which is the most")
        await asyncio.to_thread(self._kept.keep, uid, msgspec.json.encode(plan))
        self._plans[uid] = plan
        return self.get(uid)

    async def remove(self, uid: str) -> None:
        """Have a model launched at start no more; if it is launched now, it stays.

        Raises:
            ModelNotFound: It was not.
            StelaeError: The store cannot be used now.
        """
        self._plan(uid)
        await asyncio.to_thread(self._kept.drop, uid)
        self._plans.pop(uid, None)

    def _plan(self, uid: str) -> Autostart:
        if (plan := self._plans.get(uid)) is None:
            raise ModelNotFound(
                f"uid={uid[:128]!r}: no model of that uid starts with the server",
                param="uid",
            )
        return plan

    async def _start(self) -> None:
        for _ in range(LOOKS):
            if await self._taken_up():
                break
            await asyncio.sleep(AGAIN_SECONDS)
        enabled = [plan for plan in self._plans.values() if plan.enabled]
        for plan in sorted(enabled, key=lambda plan: plan.priority):
            await self._launch(plan)

    async def _taken_up(self) -> bool:
        """Whether all is read that can be."""
        kept = await self._kept.read()
        if kept is None:
            return False
        await self._registry.take_up()  # whose models may be among them
        for uid, data in kept:
            try:
                self._plans.setdefault(uid, msgspec.json.decode(data, type=Autostart))
            except msgspec.DecodeError as error:
                log.warning("autostart_left_out", model=uid, error=str(error))
        return True

    async def _launch(self, plan: Autostart) -> None:
        """Launch a model, again if it fails, and wait until it is there or cannot be."""
        uid = plan.launch.uid or ""
        for attempt in range(plan.retries + 1):
            try:
                if not self._launches.has(uid):
                    await self._launches.launch(plan.launch)
                await self._launches.ready(uid)
            except StelaeError as error:
                log.error("autostart_failed", model=uid, attempt=attempt, error=str(error))
                if isinstance(error, InvalidInput) or attempt == plan.retries:
                    return
                await asyncio.sleep(plan.retry_seconds)
            else:
                return


def _checked(plan: Autostart) -> Autostart:
    """A plan with a uid that can be one.

    Raises:
        InvalidInput: Part of it makes no sense.
    """
    if plan.launch.uid is None:
        raise InvalidInput(
            "launch.uid is missing: a model that starts with the server has one", param="launch.uid"
        )
    check_launch(plan.launch)
    if not 0 <= plan.retries <= MOST_RETRIES:
        raise InvalidInput(
            f"retries is {plan.retries}; choose 0 to {MOST_RETRIES}", param="retries"
        )
    seconds = plan.retry_seconds
    if not (math.isfinite(seconds) and 0 < seconds <= MOST_SECONDS):
        raise InvalidInput(
            f"retry_seconds is {seconds}; choose more than 0, to {MOST_SECONDS:g}",
            param="retry_seconds",
        )
    return replace(plan, launch=replace(plan.launch, uid=check_uid(plan.launch.uid)))


def _with_secrets(plan: Autostart, before: Autostart | None) -> Autostart:
    known = {} if before is None else before.launch.environment
    given = plan.launch.environment
    told = {name: known.get(name, v) if v == HIDDEN else v for name, v in given.items()}
    return replace(plan, launch=replace(plan.launch, environment=told))
