"""How many threads a batch gets: pure state, no threads, no clock of its own.

A batch shares the processors with those that run or wait beside it, and has all of them if it
runs alone. Where something else has them, every layer waits for the one thread that is kept off
its processor: then half as many do more.
"""

from __future__ import annotations

QUICK = 0.002
"""Seconds of one thread below which more of them are not worth waking."""

CROWDED = 0.3
"""Share of its time that the first of many threads runs at least, where processors are free."""

WINDOW = 0.5
"""Seconds of batches that are judged together: a single one may be held up by anything."""

MEMORY = 2.0
"""Seconds for which a crowded processor is remembered; twice as long each time that it still is."""

LONGEST = 64.0
"""Seconds of that at most."""


class Width:
    """Decides the threads of each batch.

    Args:
        cores: Threads to share out.
        lanes: Batches that may run at once.
    """

    def __init__(self, cores: int, lanes: int) -> None:
        self._cores, self._share = cores, max(1, cores // lanes)
        self._crowded_until, self._memory = 0.0, MEMORY
        self._ran = self._seconds = 0.0

    def choose(self, seconds: float, now: float, company: int) -> int:
        """Threads for the next batch.

        Args:
            seconds: How long it is expected to take.
            now: Clock reading.
            company: Batches that run or wait beside it.
        """
        if seconds < QUICK:
            return 1
        threads = max(self._share, self._cores // (1 + company))
        return max(1, threads // 2) if now < self._crowded_until else threads

    def observe(self, threads: int, ran: float, seconds: float, now: float) -> None:
        """Learn from a batch; those of one thread tell nothing.

        Args:
            threads: Those that it had.
            ran: Seconds for which its first thread was on a processor.
            seconds: Seconds that it took.
            now: Clock reading.
        """
        if threads == 1:
            return
        self._ran += ran
        self._seconds += seconds
        if self._seconds >= WINDOW:
            self._judge(now)
            self._ran = self._seconds = 0.0

    def _judge(self, now: float) -> None:
        if self._ran >= CROWDED * self._seconds:
            self._memory = MEMORY
        else:
            self._crowded_until = now + self._memory
            self._memory = min(LONGEST, 2 * self._memory)
