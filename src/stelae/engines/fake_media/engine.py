"""What every engine of these shares: some words break it, and its counters go up."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from typing import Any

from stelae.catalog.spec import ModelSpec
from stelae.engines.base import EngineInfo, EngineOptions, StreamStats
from stelae.engines.fake_media import hearing, imaging, speaking
from stelae.engines.fake_media.steps import Steps
from stelae.errors import EngineFailed

AnySteps = Steps[Any, Any]


class FakeMediaEngine:
    """Tells a call's steps, one after the other, and obeys the words in its text.

    ``!die`` ends the process, ``!fail`` fails the call, ``!late`` fails it after the first
    step, ``!wait`` says nothing for ever, ``!more`` goes on without end.

    Args:
        spec: What model it plays.
        steps: What it does for a call.

    Attributes:
        made: Steps so far, over all calls.
        open: Calls under way.
        closed: Whether it was.
    """

    def __init__(self, spec: ModelSpec, steps: AnySteps) -> None:
        self._spec, self._steps = spec, steps
        self.made = 0
        self.open = 0
        self.closed = False

    @property
    def info(self) -> EngineInfo:
        return EngineInfo(fingerprint="fake", dtype="float32", device="cpu")

    @property
    def stats(self) -> StreamStats:
        return StreamStats(steps=self.made, sequences=self.made)

    async def stream(self, call: Any) -> AsyncGenerator[list[Any]]:
        words = self._steps.text(call).split()
        steps = self._steps.of(self._spec, call)
        self.open += 1
        try:
            await _obey(words)
            for number, pieces in enumerate(steps):
                await asyncio.sleep(0)
                if number and "!late" in words:
                    raise EngineFailed("the fake engine was told to fail late")
                self.made += 1
                yield pieces
                while "!more" in words:
                    await asyncio.sleep(0)
                    self.made += 1
                    yield pieces
        finally:
            self.open -= 1

    async def aclose(self) -> None:
        self.closed = True


async def _obey(words: list[str]) -> None:
    if "!die" in words:
        os.kill(os.getpid(), signal.SIGKILL)
    if "!fail" in words:
        raise EngineFailed("the fake engine was told to fail")
    if "!wait" in words:
        await asyncio.Event().wait()


def load(spec: ModelSpec, options: EngineOptions) -> FakeMediaEngine:
    """Load nothing."""
    del options
    steps: AnySteps = speaking.STEPS
    if spec.imaging is not None:
        steps = imaging.STEPS
    elif spec.hearing is not None:
        steps = hearing.STEPS
    return FakeMediaEngine(spec, steps)
