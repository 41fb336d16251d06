"""What a server costs: CPU seconds and memory of its process and of all below it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

QUIET = 0.1
"""Share of a core that a server without work takes at most."""

QUIET_FOR = 0.3
"""Seconds of it."""


def family(process: psutil.Process) -> list[psutil.Process]:
    """A process and all below it; none where it has ended."""
    with suppress(psutil.NoSuchProcess):
        return [process, *process.children(recursive=True)]
    return []


def cpu_seconds(members: list[psutil.Process]) -> float:
    """CPU seconds so far; those of children that have ended, too."""
    total = 0.0
    for member in members:
        with suppress(psutil.NoSuchProcess):
            total += sum(member.cpu_times()[:4])
    return total


def forget_peak(process: psutil.Process) -> None:
    """Let the kernel count the peak of resident memory anew."""
    with suppress(OSError):
        Path(f"/proc/{process.pid}/clear_refs").write_text("5")


def peak_mb(process: psutil.Process) -> float:
    """Most resident memory of a process since ``forget_peak``, in megabytes."""
    with suppress(OSError):
        return next(_peaks(process), 0.0)
    return 0.0


def _peaks(process: psutil.Process) -> Iterator[float]:
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            yield int(line.split()[1]) / 1024


def settle(process: psutil.Process, seconds: float = 20.0) -> None:
    """Wait until a server has done what it was asked and nobody waits for any more."""
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        before = cpu_seconds(family(process))
        time.sleep(QUIET_FOR)
        if cpu_seconds(family(process)) - before < QUIET * QUIET_FOR:
            return


class Usage:
    """Measures from ``begin`` to ``end``, and costs nothing between them.

    Attributes:
        cpu: CPU seconds of the tree; not a number until ``end``, or without a process.
        peak_mb: The peaks of all its processes, added up: an upper bound of the tree's peak
            where they did not peak together, or share memory.
    """

    def __init__(self, process: psutil.Process | None) -> None:
        self.cpu = float("nan")
        self.peak_mb = float("nan")
        self._process = process
        self._before = 0.0
        self._members = family(process) if process else []

    def begin(self) -> None:
        """Count from here."""
        for member in self._members:
            forget_peak(member)
        self._before = cpu_seconds(self._members)

    def end(self) -> None:
        """Count until here; children that were started meanwhile belong to it."""
        if self._process is None:
            return
        members = family(self._process)
        self.cpu = cpu_seconds(members) - self._before
        self.peak_mb = sum(map(peak_mb, members))
