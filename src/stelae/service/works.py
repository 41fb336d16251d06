"""Work in the background: unit by unit, a few at a time, and again after a restart."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from stelae.errors import RETRYABLE, NotFound, StelaeError
from stelae.service.inference import Caller, Inference
from stelae.service.store import File, Store, Work
from stelae.telemetry.log import get

log = get()

P = ParamSpec("P")
T = TypeVar("T")

AT_ONCE = 16
"""Units under way at once."""

PATIENCE = 20
"""Further attempts for a unit that is refused because the server is busy."""

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

    async def start(self) -> None:
        """Go on with what is not over."""
        if not self._kinds or not self.store.exists:
            return
        try:
            unfinished = await self.ask(self.store.unfinished)
        except StelaeError as error:  # no reason not to answer other calls
            log.warning("store_unused", error=str(error))
            return
        for work in unfinished:
            self._go(work)

    async def stop(self) -> None:
        """Put everything down; what is unfinished goes on when the server starts again."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(self.store.close)

    async def ask(self, what: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a method of the store, in a thread."""
        return await asyncio.to_thread(what, *args, **kwargs)

    async def begin(self, kind: str, facts: dict[str, Any], units: Iterable[bytes]) -> Work:
        """Take work on."""
        prefix = self._kinds[kind].prefix
        work = await self.ask(self.store.begin, kind, prefix, facts, units)
        self._go(work)
        return work

    async def find(self, kind: str, name: str) -> Work:
        """Work of a kind.

        Raises:
            NotFound: There is none of that name.
        """
        work = await self.ask(self.store.work, name)
        if work.kind != kind:
            raise NotFound(f"there is no {kind} {name[:80]!r} here", param="id")
        return work

    async def cancel(self, kind: str, name: str) -> Work:
        """Stop work; what is done of it stays. Work that is over stays as it is."""
        work = await self.find(kind, name)
        work = await self.ask(self.store.move, name, "cancelling", was=("queued", "running"))
        if work.state != "cancelling":
            return work
        if (task := self._tasks.get(name)) is not None:
            task.cancel()
        else:
            self._go(work)
        return work

    async def file(self, name: str) -> File:
        """A file's facts."""
        return await self.ask(self.store.file, name)

    def _go(self, work: Work) -> None:
        task = asyncio.create_task(self._carry_out(work), name=f"work-{work.id}")
        self._tasks[work.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(work.id, None))

    async def _carry_out(self, work: Work) -> None:
        kind = self._kinds[work.kind]
        try:
            work = await self.ask(self.store.move, work.id, "running", was=("queued", "running"))
            if work.state == "running":
                await self._do_units(work, kind)
            await self._over(work, kind)
        except asyncio.CancelledError:
            if (await asyncio.shield(self.ask(self.store.work, work.id))).state != "cancelling":
                raise
            await asyncio.shield(self._over(work, kind))
        except Exception as error:  # whatever a kind raises is this work's end
            said = str(error) if isinstance(error, StelaeError) else f"{type(error).__name__}"
            log.exception("work_failed", work=work.id, error=said)
            await self.ask(self.store.move, work.id, "failed", error=said, over_at=time.time())

    async def _over(self, work: Work, kind: Kind) -> None:
        found = await self.ask(self.store.work, work.id)
        facts = await self.ask(kind.close, found, self.store)
        state = "cancelled" if found.state == "cancelling" else "done"
        await self.ask(self.store.move, work.id, state, **facts)
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
        while page := await self.ask(self.store.todo, work.id, last, PAGE):
            for unit in page:
                yield unit
            last = page[-1][0]

    async def _do(self, work: Work, kind: Kind, number: int, unit: bytes) -> None:
        caller = Caller(request_id=f"{work.id}-{number}")
        attempt = 0
        while True:
            try:
                output, ok = await kind.run(unit, self._inference, caller)
                break
            except StelaeError as error:
                attempt += 1
                if error.code not in RETRYABLE or attempt > PATIENCE:
                    raise
                await asyncio.sleep(min(60.0, error.retry_after or 1.0))
        await self.ask(self.store.settle, work.id, number, output, ok=ok)
