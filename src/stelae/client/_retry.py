"""When to send a request again, and how long to wait before: no clock of its own, no I/O."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from stelae.errors import DeadlineExceeded, InvalidInput, OutOfMemory, ProtocolError, StelaeError

Clock = Callable[[], float]

REFUSED = frozenset(
    {
        "queue_full",
        "rate_limited",
        "model_not_ready",
        "lora_loading",
        "no_capacity",
        "provisioning",
    }
)
"""Codes that mean "not now": nothing was done, and waiting is the cure."""

FAILED = frozenset({"shutting_down", "worker_died", "out_of_memory", "server_unreachable"})
"""Codes that mean "it broke on the way": another attempt may well succeed."""

GATEWAY = frozenset({502, 503, 504})
"""Statuses with which a proxy says that the server behind it is away for now."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """The moment at which a caller stops waiting; ``at`` is read on ``clock``."""

    at: float | None = None
    clock: Clock = time.monotonic

    @classmethod
    def after(cls, seconds: float | None, clock: Clock = time.monotonic) -> Deadline:
        """The deadline ``seconds`` from now; ``None`` waits for ever."""
        return cls(None if seconds is None else clock() + seconds, clock)

    def left(self) -> float | None:
        """Seconds left, above zero; ``None`` if there is no end.

        Raises:
            DeadlineExceeded: The moment has passed.
        """
        if self.at is None:
            return None
        left = self.at - self.clock()
        if left <= 0:
            raise DeadlineExceeded(
                "the time given for this call has passed", hint="give a longer timeout"
            )
        return left

    def allows(self, seconds: float) -> bool:
        """Whether a wait of that long ends before the deadline."""
        return self.at is None or self.clock() + seconds < self.at


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How a client behaves when a request is refused or breaks on the way.

    Refusals ("the queue is full", "the model is loading") are waited out until
    the deadline; failures are tried again ``attempts`` times. Between attempts
    the client waits for a random time below ``base * 2**n`` (full jitter), and
    at least for as long as the server's ``Retry-After`` says.

    Attributes:
        attempts: Further attempts after a failure; 0 sends everything once.
        base: Seconds, the bound of the first wait.
        ceiling: Seconds, the highest that bound gets.
        patience: Seconds, the most of a ``Retry-After`` that is obeyed.
        share: Retries that each request earns for all requests of the client.
        floor: Retries per second that are always earned.
        reserve: Most retries that can be saved up.
        waits: Codes of refusals that are waited out.
        memory_attempts: Further attempts where the server's memory ran out, if not ``attempts``.
    """

    attempts: int = 3
    base: float = 0.2
    ceiling: float = 5.0
    patience: float = 60.0
    share: float = 0.1
    floor: float = 1.0
    reserve: float = 10.0
    waits: frozenset[str] = REFUSED
    memory_attempts: int | None = None

    def attempts_after(self, code: str) -> int:
        """Further attempts after a failure of that code."""
        few = self.memory_attempts
        return few if few is not None and code == OutOfMemory.code else self.attempts


@dataclass(slots=True)
class Budget:
    """Retries that all requests of a client share, so that they add little to an overload.

    A token bucket: each request earns ``share`` of a retry, each second
    ``floor``. A retry that finds the bucket empty is not refused but put off
    until it is earned.
    """

    policy: RetryPolicy
    clock: Clock = time.monotonic
    _saved: float = field(init=False)
    _counted: float = field(init=False)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._saved = self.policy.reserve
        self._counted = self.clock()

    def earn(self) -> None:
        """Count a request."""
        with self._lock:
            self._saved = min(self.policy.reserve, self._saved + self.policy.share)

    def spend(self) -> float:
        """Take one retry; returns the seconds until it is earned."""
        with self._lock:
            now = self.clock()
            earned = (now - self._counted) * self.policy.floor
            self._saved = min(self.policy.reserve, self._saved + earned) - 1
            self._counted = now
            return 0.0 if self._saved >= 0 else -self._saved / self.policy.floor

    def give_back(self) -> None:
        """Return a retry that was taken and not used."""
        with self._lock:
            self._saved += 1


class Retries:
    """One client's policy and budget: says for each error how long to wait."""

    def __init__(
        self,
        policy: RetryPolicy,
        *,
        clock: Clock = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.policy = policy
        self.budget: Budget = Budget(policy, clock)
        self._jitter = jitter

    def wait(self, error: StelaeError, attempt: int, deadline: Deadline) -> float:
        """Seconds to wait before the request is sent again.

        Args:
            error: What came of the last attempt.
            attempt: Attempts made so far, from 1.
            deadline: When the caller stops waiting.

        Raises:
            StelaeError: ``error`` itself, if another attempt makes no sense.
        """
        if not self._worthwhile(error, attempt):
            raise error
        bound = min(self.policy.ceiling, self.policy.base * 2.0 ** min(attempt - 1, 30))
        asked = min(self.policy.patience, error.retry_after or 0.0)
        seconds = max(asked + self._jitter() * bound, self.budget.spend())
        if not deadline.allows(seconds):
            self.budget.give_back()
            raise error
        return seconds

    def _worthwhile(self, error: StelaeError, attempt: int) -> bool:
        if self.policy.attempts == 0:
            return False
        if error.code in REFUSED:
            return error.code in self.policy.waits
        return attempt <= self.policy.attempts_after(error.code) and retryable(error)


def retryable(error: StelaeError) -> bool:
    """Whether the same request may succeed later."""
    if isinstance(error, ProtocolError):
        return error.details.get("status") in GATEWAY
    return error.code in REFUSED or error.code in FAILED


def policy_of(retries: int | RetryPolicy) -> RetryPolicy:
    """The policy that a client's ``retries`` argument means."""
    if isinstance(retries, RetryPolicy):
        return retries
    if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
        raise InvalidInput(f"retries={retries!r}: give a count >= 0 or a RetryPolicy")
    return RetryPolicy(attempts=retries)
