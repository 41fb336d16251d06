"""What a runner counts."""

from __future__ import annotations

import msgspec


class RunnerStats(msgspec.Struct, frozen=True, kw_only=True):
    """Counters since the start; ``batches`` growing shows that the device works.

    Attributes:
        batches: Batches run.
        entries: Items run.
        tokens: Tokens run.
        run_seconds: Time in the engine's ``run``.
        rate: Tokens per second, smoothed.
    """

    batches: int = 0
    entries: int = 0
    tokens: int = 0
    run_seconds: float = 0.0
    rate: float = 0.0
