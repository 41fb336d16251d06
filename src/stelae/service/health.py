"""Whether each loaded model answers: a small real call, again and again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from stelae.cluster.canary import canary_call, judge
from stelae.cluster.replica import Replica
from stelae.errors import StelaeError
from stelae.types import ModelState

INTERVAL = 0.5
"""Seconds between two rounds."""

FRESH = 1.0
"""A success not older than so many seconds spares the next check."""

VALID = 2.0
"""Seconds after which a success no longer shows that the model answers."""

PATIENCE = 10.0
"""Seconds after which the answer to a check is not waited for any more."""


Key = tuple[str, int]
"""A model and the number of one of its replicas."""


class ModelHealth(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whether one replica of a model answers.

    Attributes:
        name: The model.
        replica: Number of the replica.
        state: Where it stands.
        ok: Whether it answered not long ago.
        age_s: Seconds since it last answered; ``None`` if it never did.
        reason: Why it is not ok.
    """

    name: str
    replica: int = 0
    state: ModelState
    ok: bool
    age_s: float | None = None
    reason: str = ""


class Health:
    """Checks replicas through the path that calls take, ahead of the queue."""

    def __init__(self, replicas: Callable[[], Sequence[Replica]]) -> None:
        self._replicas = replicas
        self._answered: dict[Key, float] = {}
        self._reasons: dict[Key, str] = {}
        self._checks: dict[Key, asyncio.Task[None]] = {}

    def answered(self, replica: Replica) -> None:
        """A call was answered, which is as good as a check."""
        self._answered[_key(replica)] = time.monotonic()

    def forget(self, name: str) -> None:
        """Keep nothing of a model that is there no more."""
        self._answered = {key: at for key, at in self._answered.items() if key[0] != name}
        self._reasons = {key: why for key, why in self._reasons.items() if key[0] != name}

    def of(self, replica: Replica) -> ModelHealth:
        """How a replica does, from what is known now."""
        last = self._answered.get(_key(replica))
        age = None if last is None else time.monotonic() - last
        ok = replica.state is ModelState.READY and age is not None and age <= VALID
        return ModelHealth(
            name=replica.name,
            replica=replica.deployment.number,
            state=replica.state,
            ok=ok,
            age_s=age,
            reason="" if ok else self._reason(replica, age),
        )

    async def watch(self) -> None:
        """Check all loaded replicas for as long as this runs."""
        try:
            while True:
                self._round()
                await asyncio.sleep(INTERVAL)
        finally:
            checks = list(self._checks.values())
            for check in checks:
                check.cancel()
            await asyncio.gather(*checks, return_exceptions=True)

    def _round(self) -> None:
        now = time.monotonic()
        for replica in self._replicas():
            key = _key(replica)
            due = now - self._answered.get(key, -FRESH) >= FRESH
            if due and key not in self._checks:
                check = asyncio.create_task(self._check(replica), name=f"check-{replica.name}")
                self._checks[key] = check
                check.add_done_callback(partial(self._forget, key))

    def _forget(self, key: Key, check: asyncio.Task[None]) -> None:
        del check
        del self._checks[key]

    async def _check(self, replica: Replica) -> None:
        call = canary_call(replica.deployment)
        try:
            wrong = judge(await replica.infer(call, timeout=PATIENCE, urgent=True))
        except StelaeError as error:
            wrong = error
        if wrong is None:
            self.answered(replica)
        else:
            self._reasons[_key(replica)] = wrong.message

    def _reason(self, replica: Replica, age: float | None) -> str:
        if replica.error is not None:
            return replica.error.message
        if replica.state is not ModelState.READY:
            return f"the model is {replica.state}"
        if age is None:
            return self._reasons.get(_key(replica), "not checked yet")
        return f"no answer for {age:.1f} s"


def _key(replica: Replica) -> Key:
    return replica.name, replica.deployment.number
