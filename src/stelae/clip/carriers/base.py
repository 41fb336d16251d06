"""What every way to a server does, and what two of them share."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from stelae.errors import ProtocolError, StelaeError
from stelae.wire.clip.messages import DataRequest

Answer = asyncio.Future[DataRequest]


class Carrier(Protocol):
    """An open way to a server."""

    async def send(self, request: DataRequest) -> Answer:
        """Send a request; returns when it has left, with its answer to wait for.

        Raises:
            StelaeError: It cannot be sent; waiting for the answer raises the same kinds.
        """


Way = AbstractAsyncContextManager[Carrier]
"""A way to a server, open while it is entered.

Whoever leaves it says that no more requests come; whoever leaves it with an error drops it.
"""


class Awaited:
    """Requests of one connection whose answers are still to come, in any order."""

    def __init__(self) -> None:
        self._answers: dict[str, Answer] = {}
        self._error: StelaeError | None = None

    def expect(self, request: DataRequest) -> Answer:
        """The answer to a request that is about to be sent.

        Raises:
            StelaeError: The connection has ended.
        """
        if self._error is not None:
            raise self._error
        answer: Answer = asyncio.get_running_loop().create_future()
        self._answers[request.header.request_id] = answer
        return answer

    def take(self, answer: DataRequest) -> None:
        """An answer has come.

        Raises:
            ProtocolError: To no request of ours.
        """
        waiting = self._answers.pop(answer.header.request_id, None)
        if waiting is None:
            raise ProtocolError(
                f"the server answered a request that was not sent: {answer.header.request_id!r}"
            )
        if not waiting.done():
            waiting.set_result(answer)

    def fail(self, error: StelaeError) -> None:
        """No more answers come, because of an error."""
        self._error = error
        for waiting in self._answers.values():
            if not waiting.done():
                waiting.set_exception(error)
                waiting.exception()  # nobody may be left to look at it
        self._answers.clear()
