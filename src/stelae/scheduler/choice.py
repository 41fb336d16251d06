"""Which runner an engine needs."""

from __future__ import annotations

from contextlib import nullcontext

from stelae.engines.base import AnyEngine, StreamEngine
from stelae.scheduler.queue import Limits
from stelae.scheduler.runner import Runner, Together
from stelae.scheduler.streams import StreamRunner

AnyRunner = Runner | StreamRunner


def runner_of(
    engine: AnyEngine, limits: Limits | None = None, together: Together = nullcontext
) -> AnyRunner:
    """The runner of an engine: by batches, or by pieces where it answers in such.

    Args:
        engine: What it runs.
        limits: Bounds of what waits.
        together: Entered while the calls of one batch are answered.
    """
    if isinstance(engine, StreamEngine):
        return StreamRunner(engine)
    return Runner(engine, limits, together)
