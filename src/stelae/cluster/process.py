"""A replica in a worker process that is watched and, when it dies, replaced.

What becomes of calls when a worker dies:

* Calls under way at its death are suspects. The replacement first answers a
  health check, then runs the suspects one at a time, alone; meanwhile new calls
  wait. A suspect that ends this worker too is refused with ``PoisonInput``, and
  so is the same input for some minutes; all others are answered.
* Answers in pieces are never begun anew: their callers have the error at once. One whose
  input alone was there at two such deaths is refused from then on.
* A worker that ends before it answers the health check is nobody's fault but its
  own. After a few such ends in a row the replica is ``FAILED``; a call that
  comes after a while makes it try again.
"""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections import deque
from collections.abc import AsyncGenerator, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import Context
from typing import Any

from stelae.cluster import engines, messages
from stelae.cluster.canary import canary_call, judge
from stelae.cluster.child import surroundings
from stelae.cluster.deployment import Deployment
from stelae.cluster.frames import Frame
from stelae.cluster.inflow import Inflow
from stelae.cluster.link import Link, Ticket, retrieve
from stelae.cluster.messages import Load
from stelae.cluster.patience import Failures, Patience, Stall
from stelae.cluster.quarantine import Quarantine
from stelae.cluster.vitals import Vitals
from stelae.engines.base import EngineInfo
from stelae.errors import (
    DeadlineExceeded,
    ModelLoadFailed,
    ModelNotReady,
    ShuttingDown,
    StelaeError,
    WorkerDied,
    from_info,
)
from stelae.telemetry.log import get
from stelae.types import ModelState

log = get()


class ProcessReplica:
    """Runs the engine in a process of its own; see ``Replica``.

    Args:
        deployment: What to run.
        patience: How the worker is watched and replaced.
        arguments: Further arguments of the worker's command line.
    """

    def __init__(
        self,
        deployment: Deployment,
        patience: Patience | None = None,
        arguments: Sequence[str] = (),
    ) -> None:
        self.name = deployment.name
        self.deployment = deployment
        self.state = ModelState.AVAILABLE
        self.info: EngineInfo | None = None
        self.in_flight = 0
        self.vitals = Vitals()
        self.restarts = 0
        self.error: StelaeError | None = None
        self.started = time.time()
        self._patience = patience or Patience()
        self._arguments = arguments
        self._failures = Failures(self._patience)
        self._quarantine = Quarantine()
        self._link: Link | None = None
        self._open = False
        self._waiting: dict[Ticket, None] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._keeper: asyncio.Task[None] | None = None
        self._watchers: set[asyncio.Task[None]] = set()
        self._retry_at = 0.0

    @property
    def memory_bytes(self) -> int:
        """Resident memory of the worker, as last told."""
        return self.vitals.memory_bytes

    # -- life --------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start a worker and load the model in it; see ``Replica.start``."""
        self.state, self.error = ModelState.LOADING, None
        try:
            link = await self._launch()
        except StelaeError as error:
            self.state, self.error = ModelState.FAILED, error
            raise
        except asyncio.CancelledError:
            self.state = ModelState.AVAILABLE
            raise
        self._admit(link)
        self._keeper = self._apart(self._keep(link), "keep")

    async def stop(self, drain: float) -> None:
        """Refuse new calls, finish the accepted ones for up to ``drain`` seconds, unload."""
        self.state = ModelState.STOPPING
        with suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), drain)
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
        left = [*self._waiting]
        if self._link is not None:
            left += self._link.tickets.values()
            await self._link.close()
        _fail(left, ShuttingDown(f"model '{self.name}' was unloaded before the request ran"))
        await asyncio.gather(*self._watchers)
        self._link, self._open, self.info, self.vitals = None, False, None, Vitals()
        self.state = ModelState.AVAILABLE

    # -- calls -------------------------------------------------------------------------------

    async def infer(self, call: Any, *, timeout: float | None = None, urgent: bool = False) -> Any:
        """Run a call in the worker; cancelling tells the worker."""
        self._check_state()
        ticket = self._ticket(call, timeout, urgent)
        if self._quarantine:
            self._quarantine.refuse(ticket.payload, _now())
        expiry = self._begin(ticket, timeout)
        try:
            self._place(ticket)
            frame = await ticket.answer
        finally:
            self._end(ticket, expiry)
        return messages.read_result(ticket.task, frame.buffers)

    async def stream(self, call: Any, *, timeout: float | None = None) -> AsyncGenerator[list[Any]]:
        """Run a call in the worker and pass its pieces on; closing tells the worker."""
        self._check_state()
        ticket = self._ticket(call, timeout, urgent=False)
        if self._quarantine:
            self._quarantine.refuse(ticket.payload, _now())
        inflow: Inflow[Frame] = Inflow(ticket.answer, lambda count: self._grant(ticket, count))
        ticket.inflow = inflow
        with self._under_way(ticket, timeout):
            async for frame in inflow.parts():
                yield messages.read_pieces(ticket.task, frame.buffers)
            frame = await ticket.answer
        yield [messages.read_result(ticket.task, frame.buffers)]

    @contextmanager
    def _under_way(self, ticket: Ticket, timeout: float | None) -> Iterator[None]:
        """Place a call, and forget it in the end, however that comes."""
        expiry = self._begin(ticket, timeout)
        try:
            self._place(ticket)
            yield
        finally:
            self._end(ticket, expiry)

    def _begin(self, ticket: Ticket, timeout: float | None) -> asyncio.TimerHandle | None:
        self.in_flight += 1
        self._idle.clear()
        return self._expire_later(ticket, timeout)

    def _end(self, ticket: Ticket, expiry: asyncio.TimerHandle | None) -> None:
        if ticket.answer.done():
            retrieve(ticket.answer)
        else:
            ticket.answer.add_done_callback(retrieve)
        self._leave(ticket)
        if expiry is not None:
            expiry.cancel()
        self.in_flight -= 1
        if not self.in_flight:
            self._idle.set()

    def _grant(self, ticket: Ticket, count: int) -> None:
        if self._link is not None:
            self._link.grant(ticket, count)

    def _check_state(self) -> None:
        if self.state is ModelState.STOPPING:
            raise ShuttingDown(f"model '{self.name}' is being unloaded", retry_after=1.0)
        if self.state is ModelState.AVAILABLE:
            raise ModelNotReady(f"model '{self.name}' is not loaded", retry_after=1.0)
        if self.state is ModelState.FAILED:
            self._revive()

    def _ticket(self, call: Any, timeout: float | None, urgent: bool) -> Ticket:
        loop = asyncio.get_running_loop() if self._link is None else self._link.loop
        return Ticket(
            task=messages.task_of(call),
            payload=messages.payload(call),
            deadline=None if timeout is None else loop.time() + timeout,
            urgent=urgent,
            answer=loop.create_future(),
        )

    def _expire_later(self, ticket: Ticket, timeout: float | None) -> asyncio.TimerHandle | None:
        if timeout is None:
            return None
        late = DeadlineExceeded(f"no answer within the {timeout:g} s given")
        return asyncio.get_running_loop().call_later(max(0.0, timeout), _fail, [ticket], late)

    def _place(self, ticket: Ticket) -> None:
        """Send a call, or let it wait while the worker is being replaced."""
        if self._open and self._link is not None and not self._link.leaving:
            self._link.infer(ticket)
        else:
            self._waiting[ticket] = None

    def _leave(self, ticket: Ticket) -> None:
        """Forget a call whose caller has what it waits for, or waits no more."""
        self._waiting.pop(ticket, None)
        # A suspect that runs alone runs to its end: the next one must not meet it.
        if self._link is not None and ticket.settled is None:
            self._link.cancel(ticket)

    # -- the worker's life -------------------------------------------------------------------

    async def _launch(self) -> Link:
        """Start a worker, load the model and try it."""
        runs = self.deployment
        variables = surroundings(os.environ, runs.environment, runs.gpus)
        link = await Link.spawn(self._arguments, variables)
        try:
            async with asyncio.timeout(self._patience.start):
                self.info = await self._load(link)
                self._watch_over(link)
                await self._try(link)
        except BaseException as error:
            link.kill()
            await link.close()
            if isinstance(error, TimeoutError):
                raise ModelLoadFailed(
                    f"model '{self.name}' was not loaded within {self._patience.start:g} s"
                ) from error
            raise
        return link

    async def _load(self, link: Link) -> EngineInfo:
        link.send(Load(self.deployment))
        try:
            ready = await link.loaded
        except WorkerDied as error:
            raise ModelLoadFailed(
                f"model '{self.name}' could not be loaded: {error.message}", details=error.details
            ) from error
        self.vitals = Vitals(memory_bytes=ready.memory_bytes, pid=link.pid)
        self.deployment = engines.settled(self.deployment, ready.engine, ready.reason)
        return ready.info

    async def _try(self, link: Link) -> None:
        """Run the health check as the worker's first call.

        Raises:
            StelaeError: It failed, or the worker did not survive it.
        """
        ticket = self._canary()
        if not await link.alone(ticket):
            raise ModelLoadFailed(
                f"model '{self.name}' was loaded, but its worker {link.death} in the first health "
                "check",
                details={"stderr": link.tail},
            )
        frame = await ticket.answer
        if (wrong := judge(messages.read_result(ticket.task, frame.buffers))) is not None:
            raise wrong

    def _canary(self) -> Ticket:
        ticket = self._ticket(canary_call(self.deployment), None, urgent=True)
        ticket.answer.add_done_callback(retrieve)
        return ticket

    def _admit(self, link: Link) -> None:
        """Open the gate: send what waits, and from now on what comes."""
        self._link, self._open = link, True
        self.state, self.error = ModelState.READY, None
        waiting, self._waiting = list(self._waiting), {}
        for ticket in waiting:
            if not ticket.answer.done():
                _send(link, ticket)
        log.info("worker_ready", model=self.name, pid=link.pid)

    async def _keep(self, link: Link | None) -> None:
        """Replace the worker whenever it ends, until that is hopeless."""
        suspects: deque[Ticket] = deque()
        try:
            while True:
                if link is None:
                    self._admit(await self._replace(suspects))
                link = self._link
                assert link is not None  # noqa: S101  # _admit has set it
                await link.closed.wait()
                suspects, link = self._shut(link), None
        except StelaeError as error:
            self._give_up(error, suspects)

    def _shut(self, link: Link) -> deque[Ticket]:
        """Close the gate behind a dead worker; what was under way waits or is suspect."""
        self._open, self.state = False, ModelState.LOADING
        self.restarts += 1
        left = [ticket for ticket in link.tickets.values() if not ticket.answer.done()]
        broken = [t for t in left if t.inflow is not None and (t.inflow.begun or not link.clean)]
        _fail(broken, _broken_off(self.name, link.death))
        if not link.clean:
            self._quarantine.witness([ticket.payload for ticket in broken], _now())
        left = [ticket for ticket in left if ticket not in broken]
        suspects = deque(t for t in left if not (t.urgent or link.clean))
        self._waiting |= {t: None for t in left if t.urgent or link.clean}
        log.warning(
            "worker_died", model=self.name, pid=link.pid, how=link.death, under_way=len(left)
        )
        return suspects

    async def _replace(self, suspects: deque[Ticket]) -> Link:
        """Bring up a worker that has answered, or survived, all suspects."""
        while True:
            await asyncio.sleep(self._failures.pause)
            try:
                self._link = link = await self._launch()
            except StelaeError as error:
                self._failures.count(_now())
                log.warning("worker_start_failed", model=self.name, error=error.message)
                if self._failures.hopeless:
                    raise
                continue
            self._failures.forget()
            if await self._replay(link, suspects):
                return link
            await link.close()

    async def _replay(self, link: Link, suspects: deque[Ticket]) -> bool:
        """Run suspects alone, one after the other; False if the worker ended."""
        while suspects:
            ticket = suspects[0]
            if not ticket.answer.done() and not await link.alone(ticket):
                if link.clean:
                    return False
                _fail([ticket], self._quarantine.convict(ticket.payload, _now()))
                log.warning("input_refused", model=self.name, pid=link.pid, how=link.death)
            suspects.popleft()
            if link.leaving:
                return False
        return True

    def _give_up(self, error: StelaeError, suspects: Iterable[Ticket]) -> None:
        self.state, self._retry_at = ModelState.FAILED, _now() + self._patience.cool_off
        self.error = WorkerDied(
            f"the worker of model '{self.name}' ended and could not be replaced: {error.message}",
            retry_after=self._patience.cool_off,
            details=error.details,
        )
        waiting, self._waiting = self._waiting, {}
        _fail([*suspects, *waiting], self.error)
        log.error("worker_given_up", model=self.name, error=error.message)

    def _revive(self) -> None:
        """Try again to bring up a failed worker, unless it failed only just now."""
        wait = self._retry_at - _now()
        if wait > 0 and self.error is not None:
            raise WorkerDied(
                self.error.message, retry_after=max(1.0, wait), details=self.error.details
            )
        self._failures.forget()
        self.state = ModelState.LOADING
        self._keeper = self._apart(self._keep(None), "keep")

    def _apart(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Begin what outlives the request that it begins in, whose id no later log line names."""
        return asyncio.create_task(work, name=f"{name}-{self.name}", context=Context())

    # -- signs of life -----------------------------------------------------------------------

    def _watch_over(self, link: Link) -> None:
        watcher = self._apart(self._watch(link), "watch")
        self._watchers.add(watcher)
        watcher.add_done_callback(self._watchers.discard)

    async def _watch(self, link: Link) -> None:
        """Look at a worker regularly until it ends; end it if it hangs."""
        beat = self._patience.beat
        stall = Stall(math.ceil(self._patience.hang / beat), beat)
        canary: Ticket | None = None
        while not link.closed.is_set():
            link.ping()
            with suppress(TimeoutError):
                await asyncio.wait_for(link.closed.wait(), beat)
                return
            self.vitals = link.pong or self.vitals
            if stall.look(link.pong):
                log.error("worker_hangs", model=self.name, pid=link.pid, limit=self._patience.hang)
                link.kill()
            elif stall.doubtful and (canary is None or canary.answer.done()):
                canary = self._canary()
                link.infer(canary)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _broken_off(name: str, how: str) -> WorkerDied:
    return WorkerDied(
        f"the worker of model '{name}' {how} while it answered; the answer is not whole",
        retry_after=1.0,
    )


def _fail(tickets: Iterable[Ticket], error: StelaeError) -> None:
    for ticket in tickets:
        if not ticket.answer.done():
            # One exception object must not be raised in several tasks.
            ticket.answer.set_exception(from_info(error.info))


def _send(link: Link, ticket: Ticket) -> None:
    try:
        link.infer(ticket)
    except StelaeError as error:
        _fail([ticket], error)
