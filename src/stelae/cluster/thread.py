"""A replica in this process, for embedded use."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from stelae.cluster import engines
from stelae.cluster.canary import canary_call, judge
from stelae.cluster.daemon import in_daemon
from stelae.cluster.deployment import Deployment
from stelae.cluster.inflow import Inflow
from stelae.cluster.link import retrieve
from stelae.cluster.vitals import Vitals, vitals
from stelae.engines.base import EngineInfo
from stelae.errors import (
    DeadlineExceeded,
    ModelNotReady,
    ShuttingDown,
    StelaeError,
    UnsupportedTask,
)
from stelae.scheduler.choice import AnyRunner, runner_of
from stelae.scheduler.streams import StreamRunner
from stelae.types import ModelState


class ThreadReplica:
    """Runs the engine in threads of this process; see ``Replica``.

    Small calls are prepared in the caller's thread, which saves a hand-over. A
    crash of the engine ends this process: serve others from a ``ProcessReplica``.
    """

    def __init__(self, deployment: Deployment) -> None:
        self.name = deployment.name
        self.deployment = deployment
        self.state = ModelState.AVAILABLE
        self.info: EngineInfo | None = None
        self.in_flight = 0
        self.restarts = 0
        self.error: StelaeError | None = None
        self.started = time.time()
        self._runner: AnyRunner | None = None

    @property
    def vitals(self) -> Vitals:
        """Its figures now; the memory is that of the whole process."""
        return vitals(self._runner) if self._runner is not None else Vitals()

    @property
    def memory_bytes(self) -> int:
        """Resident memory of the whole process."""
        return self.vitals.memory_bytes

    async def start(self) -> None:
        """Load the engine in a thread and try it."""
        self.state = ModelState.LOADING
        try:
            self.deployment, engine = await in_daemon(engines.load, self.deployment)
            self._runner = runner_of(engine, self.deployment.limits)
            answer = await self._run(canary_call(self.deployment), None, True)
            if (wrong := judge(answer)) is not None:
                raise wrong
        except StelaeError as error:
            self.state, self.error = ModelState.FAILED, error
            await self._close()
            raise
        except asyncio.CancelledError:
            self.state = ModelState.AVAILABLE
            await self._close()
            raise
        self.info = self._runner.engine.info
        self.state = ModelState.READY

    async def infer(self, call: Any, *, timeout: float | None = None, urgent: bool = False) -> Any:
        """Run a call; cancelling drops what of it still waits in the queue."""
        with self._under_way():
            return await self._run(call, timeout, urgent)

    async def stream(self, call: Any, *, timeout: float | None = None) -> AsyncGenerator[list[Any]]:
        """Run a call and pass its pieces on; closing ends the work."""
        with self._under_way():
            runner = self._runner
            if not isinstance(runner, StreamRunner):
                raise UnsupportedTask(f"model {self.name!r} does not answer in pieces")
            loop = asyncio.get_running_loop()

            def emit(pieces: list[Any]) -> None:
                loop.call_soon_threadsafe(put, pieces)

            def put(pieces: list[Any]) -> None:
                inflow.put(pieces)  # called on this loop, so that there is one by then

            stream = runner.submit(call, timeout=timeout, emit=emit)
            end = asyncio.wrap_future(stream.future)
            end.add_done_callback(retrieve)
            inflow: Inflow[list[Any]] = Inflow(end, stream.grant)
            try:
                async for pieces in inflow.parts():
                    yield pieces
                yield [await end]
            finally:
                stream.future.cancel()

    @contextmanager
    def _under_way(self) -> Iterator[None]:
        if self.state is ModelState.STOPPING:
            raise ShuttingDown(f"model '{self.name}' is being unloaded", retry_after=1.0)
        if self.state is not ModelState.READY:
            raise ModelNotReady(f"model '{self.name}' is not loaded", retry_after=1.0)
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1

    async def stop(self, drain: float) -> None:
        """Refuse new calls, finish the accepted ones for up to ``drain`` seconds, unload."""
        self.state = ModelState.STOPPING
        if self._runner is not None:
            await asyncio.to_thread(self._runner.drain, drain)
        await self._close()
        self.state, self.info = ModelState.AVAILABLE, None

    async def _run(self, call: Any, timeout: float | None, urgent: bool) -> Any:
        assert self._runner is not None  # noqa: S101  # states before READY do not come here
        future = asyncio.wrap_future(_submitted(self._runner, call, timeout, urgent=urgent))
        try:
            async with asyncio.timeout(timeout):
                return await future
        except TimeoutError as error:
            raise DeadlineExceeded(f"no answer within the {timeout:g} s given") from error

    async def _close(self) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            await asyncio.to_thread(runner.close)


def _submitted(runner: AnyRunner, call: Any, timeout: float | None, *, urgent: bool) -> Future[Any]:
    if isinstance(runner, StreamRunner):
        return runner.submit(call, timeout=timeout, emit=_drop).future
    return runner.submit(call, timeout=timeout, urgent=urgent)


def _drop(pieces: list[Any]) -> None:
    """Whoever waits for the last piece alone has no use for others."""
    del pieces
