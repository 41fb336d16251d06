"""Inputs that ended a worker twice, remembered for a while by their digest."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence

from stelae.cluster.frames import Buffer
from stelae.errors import PoisonInput

SECONDS = 600.0
"""How long an input stays refused."""

CAPACITY = 1024
"""Inputs remembered at most; the oldest are forgotten first."""


class Quarantine:
    """A bounded memory of refused inputs; time is given by the caller, in seconds."""

    def __init__(self, capacity: int = CAPACITY, seconds: float = SECONDS) -> None:
        self._capacity = capacity
        self._seconds = seconds
        self._until: OrderedDict[bytes, float] = OrderedDict()
        self._there: OrderedDict[bytes, list[float]] = OrderedDict()

    def __bool__(self) -> bool:
        """Whether any input is refused."""
        return bool(self._until)

    def convict(self, payload: Sequence[Buffer], now: float) -> PoisonInput:
        """Remember an input and give the error that its callers get."""
        self._convict(_digest(payload), now)
        return _refusal()

    def witness(self, payloads: Sequence[Sequence[Buffer]], now: float) -> None:
        """Note the inputs whose answers broke off when a worker ended.

        They are not run again, so none is proven to be at fault. One that was there at more
        such ends than any other of these is refused from then on.
        """
        digests = {_digest(payload) for payload in payloads}
        times = {digest: self._seen(digest, now) for digest in digests}
        most = max(times.values(), default=0)
        suspects = [digest for digest, count in times.items() if count == most]
        if most > 1 and len(suspects) == 1:
            self._convict(suspects[0], now)

    def _seen(self, digest: bytes, now: float) -> int:
        """How many ends of workers an input has seen lately, this one included."""
        before = [at for at in self._there.pop(digest, []) if at > now - self._seconds]
        self._there[digest] = [*before, now]
        if len(self._there) > self._capacity:
            self._there.popitem(last=False)
        return len(before) + 1

    def _convict(self, digest: bytes, now: float) -> None:
        self._until[digest] = now + self._seconds
        self._until.move_to_end(digest)
        if len(self._until) > self._capacity:
            self._until.popitem(last=False)

    def refuse(self, payload: Sequence[Buffer], now: float) -> None:
        """Let an input pass, or not.

        Raises:
            PoisonInput: It ended a worker twice not long ago.
        """
        digest = _digest(payload)
        until = self._until.get(digest)
        if until is None:
            return
        if until > now:
            raise _refusal()
        del self._until[digest]


def _digest(payload: Sequence[Buffer]) -> bytes:
    state = hashlib.blake2b(digest_size=16)
    for buffer in payload:
        state.update(len(buffer).to_bytes(8, "little"))
        state.update(buffer)
    return state.digest()


def _refusal() -> PoisonInput:
    return PoisonInput(
        "this input ended the model's worker twice and is refused; other inputs are unharmed",
        hint="send the items one by one to find the one at fault, and please report it",
    )
