"""How much memory this process holds, and how often it looks for garbage."""

from __future__ import annotations

import gc
import resource
import sys
from pathlib import Path

_STATM = Path("/proc/self/statm")

YOUNG = 10_000
"""New objects after which the collector looks at them; Python's own number is 700."""


def resident_bytes() -> int:
    """Resident memory now; the highest so far where the system does not tell (not Linux)."""
    try:
        return int(_STATM.read_text().split()[1]) * resource.getpagesize()
    except FileNotFoundError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def settle() -> None:
    """Leave what is loaded out of the rounds of the garbage collector, and make these rarer.

    Modules and models stay as long as the process. Looking through them again and again took
    more than a third of a worker's time where calls are small.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 10, 10)
