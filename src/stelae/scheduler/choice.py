"""Which runner an engine needs."""

from __future__ import annotations

from stelae.engines.base import AnyEngine, StreamEngine
from stelae.scheduler.queue import Limits
from stelae.scheduler.runner import Runner
from stelae.scheduler.streams import StreamRunner

AnyRunner = Runner | StreamRunner


def runner_of(engine: AnyEngine, limits: Limits | None = None) -> AnyRunner:
    """The runner of an engine: by batches, or by pieces where it answers in such."""
    if isinstance(engine, StreamEngine):
        return StreamRunner(engine)
    return Runner(engine, limits)
