"""Give memory back that the C library holds though nobody uses it.

Batches of ever different sizes leave holes in the C library's heap: one request of
10,000 texts made a worker of 350 MB grow by 1,150 MB, most of it holes
(``benchmarks/memory.py``). They are given back when they have become many; that costs
a few page faults, where handing out every tensor by itself costs a third of the speed.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Callable
from functools import cache

EVERY = 0.02
"""Seconds between two looks at least: brief batches leave no large holes."""

GROWTH = 32 << 20
"""Bytes that a process may grow by between two times of giving back."""

Trim = Callable[[], None]


class Housekeeper:
    """Looks after the heap of this process.

    Args:
        resident: Tells the resident memory, in bytes.
        trim: Gives back what is unused.
        clock: Seconds from any moment on.
    """

    def __init__(
        self,
        resident: Callable[[], int] | None = None,
        trim: Trim | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resident, self._trim = resident or resident_bytes, trim or trimmer()
        self._clock = clock
        self._looked, self._floor = clock(), self._resident()

    def after_batch(self) -> None:
        """Call after each batch; looks where the last look is a while ago."""
        now = self._clock()
        if now >= self._looked + EVERY:
            self._looked = now
            self.look()

    def look(self) -> None:
        """Give back what is unused, if the process has grown."""
        if self._resident() > self._floor + GROWTH:
            self.tidy()

    def tidy(self) -> None:
        """Give back what is unused."""
        self._trim()
        self._floor = self._resident()


def resident_bytes() -> int:
    """Resident memory of this process; 0 where the system does not tell."""
    statm = _opened(os.getpid())
    if statm is None:
        return 0
    return int(os.pread(statm, 64, 0).split()[1]) * os.sysconf("SC_PAGE_SIZE")


@cache
def _opened(process: int) -> int | None:
    """Where the system tells how much this process holds; ``None`` where it does not.

    Opened once: each call of the system gives the interpreter away. A child opens its own.

    Args:
        process: Its number, which need not be the one that ``/proc`` has it under.
    """
    del process
    try:
        return os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None


@cache
def trimmer() -> Trim:
    """What gives memory back here; does nothing where the C library is not glibc."""
    library = ctypes.CDLL(None) if sys.platform.startswith("linux") else None
    if library is None or not hasattr(library, "malloc_trim"):
        return _nothing
    trim = library.malloc_trim
    trim.argtypes = (ctypes.c_size_t,)

    def give_back() -> None:
        trim(0)

    return give_back


def _nothing() -> None:
    """There is nothing to give back with."""
