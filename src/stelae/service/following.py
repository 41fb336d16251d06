"""Calls under names that their callers gave them: how far they are, and ending them."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from enum import StrEnum
from typing import NamedTuple, TypeVar

from stelae.errors import Conflict, InvalidInput

T = TypeVar("T")

REMEMBERED = 1000
"""Calls that are over and still known to be."""


class Name(NamedTuple):
    """What a call is known by.

    Attributes:
        given: The name that its caller gave it.
        owner: The key that the caller showed; nobody else follows or ends the call.
    """

    given: str
    owner: str


class Ending(StrEnum):
    """What became of ending a call."""

    DONE = "DONE"
    OVER = "NO_OP"
    UNKNOWN = "NOT_FOUND"


class Followed:
    """A call under way, or several of one name.

    Attributes:
        model: Who answers.
        progress: How far it is, 0 to 1.
        ended: Whether somebody ended it.
    """

    def __init__(self, model: str) -> None:
        self.model = model
        self.progress = 0.0
        self.ended = False
        self.streams = 0
        self._waiting: set[asyncio.Task[object]] = set()

    def end(self) -> None:
        """End it: who waits for its next part gets an error."""
        self.ended = True
        for task in self._waiting:
            task.cancel()

    async def next(self, made: AsyncGenerator[T]) -> T:
        """Its next part.

        Raises:
            Conflict: Somebody ended it.
            StopAsyncIteration: There are no more.
        """
        task = asyncio.current_task()
        if self.ended or task is None:
            raise _ended()
        self._waiting.add(task)
        try:
            return await anext(made)
        except asyncio.CancelledError:
            if self._left(task):
                raise
            raise _ended() from None
        finally:
            self._waiting.discard(task)

    def _left(self, task: asyncio.Task[object]) -> bool:
        """Whether a cancelled task is so because its caller left."""
        return not self.ended or task.uncancel() > 0


def _ended() -> Conflict:
    return Conflict("the request was ended by its caller", param="request_id")


class Following:
    """Follows calls that have names. For one event loop.

    Args:
        most: Calls that are over and still known to be.
    """

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._calls: dict[Name, Followed] = {}
        self._over: OrderedDict[Name, str] = OrderedDict()

    async def through(
        self, made: AsyncGenerator[T], name: Name, model: str, progress: Callable[[T], float]
    ) -> AsyncGenerator[T]:
        """The parts of a call, which is followed until it ends or is closed.

        Args:
            made: The call.
            name: What it is known by; calls of one name are followed as one.
            model: Who answers.
            progress: How far it is with a part, 0 to 1.

        Raises:
            Conflict: Somebody ended it.
        """
        call = self._calls.setdefault(name, Followed(model))
        call.streams += 1
        try:
            async with aclosing(made):
                while True:
                    try:
                        part = await call.next(made)
                    except StopAsyncIteration:
                        return
                    call.progress = max(call.progress, progress(part))
                    yield part
        finally:
            call.streams -= 1
            if not call.streams:
                self._forget(name, call)

    def progress(self, name: Name) -> float:
        """How far a call is, 0 to 1.

        Raises:
            InvalidInput: There is none of that name, or it is over for long.
        """
        if (call := self._calls.get(name)) is not None:
            return call.progress
        if name in self._over:
            return 1.0
        raise InvalidInput(
            f"request_id={name.given[:80]!r}: no request of that id is followed; name one with "
            "request_id when it is made",
            param="request_id",
        )

    def end(self, name: Name, model: str) -> Ending:
        """End the call of a name if the model answers it; says what became of it."""
        if (call := self._calls.get(name)) is not None and call.model == model:
            call.end()
            return Ending.DONE
        return Ending.OVER if self._over.get(name) == model else Ending.UNKNOWN

    def _forget(self, name: Name, call: Followed) -> None:
        if self._calls.get(name) is call:
            del self._calls[name]
        self._over.pop(name, None)
        self._over[name] = call.model
        while len(self._over) > self._most:
            self._over.popitem(last=False)
