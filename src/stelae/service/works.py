"""Work in the background: unit by unit, a few at a time, and again after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from stelae.errors import NotFound, StelaeError
from stelae.service.inference import Caller, Inference
from stelae.service.store import File, Store, Work
from stelae.telemetry.log import get

log = get()

P = ParamSpec("P")
T = TypeVar("T")

AT_ONCE = 4
"""Units under way at once."""

PATIENCE = 20
"""Further attempts for a unit that is refused because the server is busy."""

NOT_NOW = frozenset({"queue_full", "model_not_ready", "no_capacity", "worker_died"})
"""Codes of errors after which a unit is tried again."""

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
        for work in await self.ask(self.store.unfinished):
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
        task = self._tasks.get(name)
        if work.state not in ("queued", "running") or task is None:
            return work
        work = await self.ask(self.store.move, name, "cancelling")
        task.cancel()
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
            if work.state != "cancelling":
                await self.ask(self.store.move, work.id, "running")
                await self._do_units(work, kind)
            await self._over(work, kind)
        except asyncio.CancelledError:
            if (await asyncio.shield(self.ask(self.store.work, work.id))).state != "cancelling":
                raise
            await asyncio.shield(self._over(work, kind))
        except StelaeError as error:
            log.error("work_failed", work=work.id, code=error.code, error=error.message)
            await self.ask(self.store.move, work.id, "failed", error=error.message)

    async def _over(self, work: Work, kind: Kind) -> None:
        found = await self.ask(self.store.work, work.id)
        facts = await self.ask(kind.close, found, self.store)
        state = "cancelled" if found.state == "cancelling" else "done"
        await self.ask(self.store.move, work.id, state, **facts)
        log.info("work_over", work=work.id, state=state, done=found.done, failed=found.failed)

    async def _do_units(self, work: Work, kind: Kind) -> None:
        while units := await self.ask(self.store.todo, work.id, AT_ONCE):
            async with asyncio.TaskGroup() as group:
                for number, unit in units:
                    group.create_task(self._do(work, kind, number, unit))

    async def _do(self, work: Work, kind: Kind, number: int, unit: bytes) -> None:
        caller = Caller(request_id=f"{work.id}-{number}")
        attempt = 0
        while True:
            try:
                output, ok = await kind.run(unit, self._inference, caller)
                break
            except StelaeError as error:
                attempt += 1
                if error.code not in NOT_NOW or attempt > PATIENCE:
                    raise
                await asyncio.sleep(min(60.0, error.retry_after or 1.0))
        await self.ask(self.store.settle, work.id, number, output, ok=ok)
