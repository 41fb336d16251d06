"""A replica's figures at one moment."""

from __future__ import annotations

import os
import time

import msgspec

from stelae.cluster.memory import resident_bytes
from stelae.scheduler.choice import AnyRunner


class Vitals(msgspec.Struct, frozen=True, kw_only=True):
    """What a replica tells of itself.

    Attributes:
        calls: Calls accepted and not yet answered.
        tokens: Tokens of these calls.
        batches: Batches run since the start; growth shows that the device works.
        batch_entries: Items run in them.
        batch_tokens: Tokens run in them.
        memory_bytes: Resident memory of its process.
        cpu_seconds: Processor time that its process has used; growth shows that it computes.
        pid: That process.
    """

    calls: int = 0
    tokens: int = 0
    batches: int = 0
    batch_entries: int = 0
    batch_tokens: int = 0
    memory_bytes: int = 0
    cpu_seconds: float = 0.0
    pid: int | None = None


def vitals(runner: AnyRunner) -> Vitals:
    """The figures of a runner in this process."""
    depth, stats = runner.depth, runner.stats()
    return Vitals(
        calls=depth.calls,
        tokens=depth.tokens,
        batches=stats.batches,
        batch_entries=stats.entries,
        batch_tokens=stats.tokens,
        memory_bytes=resident_bytes(),
        cpu_seconds=time.process_time(),
        pid=os.getpid(),
    )
