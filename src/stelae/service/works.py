"""Work in the background: unit by unit, a few at a time, and again after a restart."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, ParamSpec, TypeVar

from stelae.errors import RETRYABLE, Conflict, NotFound, QueueFull, StelaeError
from stelae.service.inference import Caller, Inference
from stelae.service.store import Store, Work
from stelae.telemetry.log import get

log = get()

P = ParamSpec("P")
T = TypeVar("T")

AT_ONCE = 16
"""Units under way at once."""

PATIENCE = 20
"""Further attempts for a unit that is refused because the server is busy."""

STORE_THREADS = 4
"""Calls of the store under way at once; one of them works, others wait for their turn."""

AGAIN_SECONDS = 5.0
"""Time between two looks at a store that somebody else uses."""

PAGE = 64
"""Units read at once."""

Run = Callable[[bytes, Inference, Caller], Awaitable[tuple[bytes, bool]]]
"""Does one unit: its result, and whether it went well."""

Close = Callable[[Work, Store], dict[str, Any]]
"""Puts the results of finished work together: new facts of it."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How work of a kind is done.

    Attributes:
        name: Of the kind.
        prefix: How names of such work start.
        run: Does one unit; an error fails the unit alone.
        close: Called once all units are done, in a thread; again if the server was killed.
    """

    name: str
    prefix: str
    run: Run
    close: Close


class Works:
    """Does the work that a store holds.

    Args:
        store: Remembers it.
        inference: Answers the calls in it.
        kinds: How each kind is done.
    """

    def __init__(self, store: Store, inference: Inference, kinds: Iterable[Kind]) -> None:
        self.store = store
        self._inference = inference
        self._kinds: Mapping[str, Kind] = {kind.name: kind for kind in kinds}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        # Threads of its own: a store that hangs keeps nothing else waiting.
        self._hands = ThreadPoolExecutor(STORE_THREADS, "store")

    async def start(self) -> None:
        """Go on with what is not over; later, if somebody else uses the store now."""
        if self._kinds and self.store.exists and not await self._resumed():
            self._tasks[""] = asyncio.create_task(self._resume(), name="works-resume")

    async def _resumed(self) -> bool:
        """Whether all is said that can be: work goes on, or the store cannot be used."""
        try:
            unfinished = await self.ask(self.store.unfinished)
        except StelaeError as error:  # no reason not to answer other calls
            log.warning("store_unused", error=str(error))
            return not isinstance(error, Conflict | QueueFull)
        for work in unfinished:
            self._go(work)
        return True

    async def _resume(self) -> None:
        while True:
            await asyncio.sleep(AGAIN_SECONDS)
            if await self._resumed():
                return

    async def stop(self) -> None:
        """Put everything down; what is unfinished goes on when the server starts again."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(self.store.close)

    async def ask(self, what: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a method of the store, in a thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._hands, partial(what, *args, **kwargs))

    async def begin(
        self, kind: str, facts: dict[str, Any], units: Iterable[bytes], owner: str = ""
    ) -> Work:
        """Take work on, for the owner of a key."""
        prefix = self._kinds[kind].prefix
        work = await self.ask(self.store.begin, kind, prefix, facts, units, owner)
        self._go(work)
        return work

    async def find(self, kind: str, name: str, owner: str | None = "") -> Work:
        """Work of a kind.

        Args:
            kind: Of what kind.
            name: Its name.
            owner: Who asks; ``None`` for whoever knows more than its name.

        Raises:
            NotFound: This owner has none of that name.
        """
        work = await self.ask(self.store.work, name)
        if work.kind != kind or owner not in (None, work.owner):
            raise NotFound(f"there is no work {name[:80]!r} here", param="id")
        return work

    async def cancel(self, kind: str, name: str, owner: str = "") -> Work:
        """Stop work; what is done of it stays. Work that is over stays as it is."""
        work = await self.find(kind, name, owner)
        work = await self.ask(self.store.move, name, "cancelling", was=("queued", "running"))
        if work.state != "cancelling":
            return work
        if (task := self._tasks.get(name)) is not None:
            task.cancel()
        else:
            self._go(work)
        return work

    def _go(self, work: Work) -> None:
        task = asyncio.create_task(self._carry_out(work), name=f"work-{work.id}")
        self._tasks[work.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(work.id, None))

    async def _carry_out(self, work: Work) -> None:
        kind = self._kinds[work.kind]
        try:
            work = await self._keep(self.store.move, work.id, "running", was=("queued", "running"))
            failure = await self._done(work, kind) if work.state == "running" else None
            await self._over(work, kind, failure)
        except asyncio.CancelledError:
            if (await asyncio.shield(self.ask(self.store.work, work.id))).state != "cancelling":
                raise
            await asyncio.shield(self._over(work, kind))
        except Exception as error:  # whatever a kind raises is this work's end
            said = str(error) if isinstance(error, StelaeError) else f"{type(error).__name__}"
            log.exception("work_failed", work=work.id, error=said)
            await self._failed(work, said)

    async def _failed(self, work: Work, said: str) -> None:
        try:
            await self._keep(self.store.move, work.id, "failed", error=said, over_at=time.time())
        except StelaeError as error:  # it goes on when the server starts again
            log.warning("work_left", work=work.id, error=str(error))

    async def _keep(self, what: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a method of the store for work, again while others use the store."""
        return await _patiently(partial(self.ask, what, *args, **kwargs))

    async def _done(self, work: Work, kind: Kind) -> StelaeError | None:
        """Do what is to be done; why that ended early, if it did."""
        try:
            await self._do_units(work, kind)
        except StelaeError as error:
            return error
        return None

    async def _over(self, work: Work, kind: Kind, failure: StelaeError | None = None) -> None:
        """Put the results together, those of work that ended early too."""
        found = await self._keep(self.store.work, work.id)
        facts = await self._keep(kind.close, found, self.store)
        state = "cancelled" if found.state == "cancelling" else "done"
        if failure is not None and state == "done":
            state, facts = "failed", {"over_at": time.time(), **facts, "error": str(failure)}
            log.warning("work_failed", work=work.id, error=str(failure))
        await self._keep(self.store.move, work.id, state, **facts)
        log.info("work_over", work=work.id, state=state, done=found.done, failed=found.failed)

    async def _do_units(self, work: Work, kind: Kind) -> None:
        """Do what has no result yet, so many at once; the first failure ends it all."""
        units = self._units(work)
        turn = asyncio.Lock()

        async def hand() -> None:
            while True:
                async with turn:
                    unit = await anext(units, None)
                if unit is None:
                    return
                await self._do(work, kind, *unit)

        hands = [asyncio.create_task(hand()) for _ in range(min(AT_ONCE, work.total))]
        try:
            await asyncio.gather(*hands)
        finally:
            for task in hands:
                task.cancel()
            await asyncio.gather(*hands, return_exceptions=True)

    async def _units(self, work: Work) -> AsyncIterator[tuple[int, bytes]]:
        last = -1
        while page := await self._keep(self.store.todo, work.id, last, PAGE):
            for unit in page:
                yield unit
            last = page[-1][0]

    async def _do(self, work: Work, kind: Kind, number: int, unit: bytes) -> None:
        caller = Caller(request_id=f"{work.id}-{number}", key_id=work.owner or None)
        output, ok = await _patiently(partial(kind.run, unit, self._inference, caller))
        await self._keep(self.store.settle, work.id, number, output, ok=ok)


async def _patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask, and again a while later if the server or the store is busy."""
    attempt = 0
    while True:
        try:
            return await ask()
        except StelaeError as error:
            attempt += 1
            if error.code not in RETRYABLE or attempt > PATIENCE:
                raise
            await asyncio.sleep(min(60.0, error.retry_after or 1.0))
