"""When to try again, when to give up, when to call a worker hung: rules without a clock."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from stelae.cluster.vitals import Vitals

COMPUTING = 20
"""How much longer a batch may take that keeps the processor busy: a large model on a small
machine may need minutes for one."""

BUSY = 0.1
"""Part of one processor that shows that a worker computes."""


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How a worker is watched and replaced; times in seconds.

    Attributes:
        start: Time to load and to answer the first health check; fetching the
            checkpoint comes before and has no limit.
        hang: Time without a sign of life, or with work and no batch done, after
            which a worker is replaced; ``COMPUTING`` times as long while it computes.
        failures: Starts that may fail within ``window`` before it is given up.
        window: See ``failures``.
        cool_off: Time after giving up until a call may make it try again.
        pause: Wait before the second try in a row; doubled with each further one.
    """

    start: float = 600.0
    hang: float = 30.0
    failures: int = 3
    window: float = 30.0
    cool_off: float = 30.0
    pause: float = 0.2

    @property
    def beat(self) -> float:
        """Time between two signs of life asked for."""
        return min(1.0, self.hang / 4)


@dataclass(slots=True)
class Failures:
    """Failed starts, most recent last.

    A start fails when the worker ends before it has answered its first health
    check: then no caller's input is to blame.
    """

    patience: Patience
    _times: list[float] = field(default_factory=list)

    def count(self, now: float) -> None:
        """Note a failed start."""
        self._times = [t for t in self._times if now - t < self.patience.window] + [now]

    def forget(self) -> None:
        """A start succeeded."""
        self._times.clear()

    @property
    def hopeless(self) -> bool:
        """Whether to give up."""
        return len(self._times) >= self.patience.failures

    @property
    def pause(self) -> float:
        """How long to wait before the next start."""
        return self.patience.pause * 2 ** (len(self._times) - 1) if self._times else 0.0


@dataclass(slots=True)
class Stall:
    """Decides from regular looks at a worker whether it hangs.

    Looks are counted instead of time, so that a server that was itself stopped
    for a while does not blame its workers.

    Attributes:
        looks: Looks in vain after which the worker hangs.
        beat: Seconds between two.
    """

    looks: int
    beat: float = 1.0
    _silent: int = 0
    _stuck: float = 0
    _batches: int = -1
    _cpu: float = 0.0

    def look(self, seen: Vitals | None) -> bool:
        """Take the answer to the last ping, ``None`` if there is none; True if it hangs."""
        if seen is None:
            self._silent += 1
        else:
            self._silent = 0
            stuck = seen.calls > 0 and seen.batches == self._batches
            computes = seen.cpu_seconds - self._cpu > BUSY * self.beat
            self._stuck = self._stuck + (1 / COMPUTING if computes else 1) if stuck else 0
            self._batches, self._cpu = seen.batches, seen.cpu_seconds
        return max(self._silent, self._stuck) >= self.looks

    @property
    def doubtful(self) -> bool:
        """Whether half the patience with a busy device is used up: time for a health check."""
        return self._stuck * 2 >= self.looks
