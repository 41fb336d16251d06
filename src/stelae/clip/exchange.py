"""One call on its way: batches go out while answers come in.

Sending never waits for receiving, but for the bound on requests under way: the batch after the
``prefetch``-th is sent when the first answer has been dealt with. Pictures are read ahead, in
worker threads, for at most ``LOADED`` batches that are not sent yet; a batch that is sent is kept
as what the caller gave, without the pictures' bytes. So memory is bounded however long the content.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from stelae.clip import answers, kinds
from stelae.clip.answers import Response
from stelae.clip.calls import Batch, Call
from stelae.clip.carriers import Carrier
from stelae.clip.results import Results
from stelae.errors import StelaeError
from stelae.wire.clip import messages

T = TypeVar("T")

LOADED = 2
"""Batches whose pictures are in memory: one is sent while the next is read."""


class Caller(Protocol):
    """Where the caller's own code runs: what makes the content, and callbacks."""

    async def batch(self) -> Batch | None:
        """The next batch; ``None`` after the last."""

    async def tell(self, callback: Callable[[T], Awaitable[object] | object], value: T) -> None:
        """Call a callback."""


async def exchange(
    call: Call,
    carrier: Carrier,
    caller: Caller,
    results: Results,
    advance: Callable[[int], None],
) -> None:
    """Send all batches and deal with all answers.

    Args:
        call: What is asked.
        carrier: An open way to the server.
        caller: Where the batches come from, and whose callbacks are called.
        results: What the answers are put into.
        advance: Told how many more documents are done.

    Raises:
        StelaeError: The server, a document or the way failed; nothing is sent any more.
    """
    slots, loads = asyncio.Semaphore(call.prefetch), asyncio.Semaphore(LOADED)

    async def one(batch: Batch) -> None:
        async with loads:
            answer = await carrier.send(await _request(call, batch))
        await _deal(call, caller, results, batch, await answer)
        advance(len(batch))
        slots.release()

    try:
        async with asyncio.TaskGroup() as group:
            await slots.acquire()
            while (batch := await caller.batch()) is not None:
                group.create_task(one(batch))
                del batch
                await slots.acquire()
    except BaseExceptionGroup as failed:
        raise _first(failed) from None


def _first(failed: BaseExceptionGroup[Any]) -> BaseException:
    """The error that came first; those that followed from it say nothing new."""
    error: BaseException = failed
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _request(call: Call, batch: Batch) -> messages.DataRequest:
    if any(piece.must_load() for piece in batch):
        return await asyncio.to_thread(call.request, batch)
    return call.request(batch)


async def _deal(
    call: Call,
    caller: Caller,
    results: Results,
    batch: Batch,
    answer: messages.DataRequest,
) -> None:
    """Put an answer into the results and tell the caller of it."""
    response = Response(answer, batch[0].document, batch[0].kind)
    error = answers.failure(answer)
    if error is None:
        error = _placed(results, batch, answers.joined([piece.id for piece in batch], answer))
    if error is not None and call.on_error is None:
        raise error
    callback = call.on_done if error is None else call.on_error
    if callback is not None:
        await caller.tell(callback, response)
    if call.on_always is not None:
        await caller.tell(call.on_always, response)


def _placed(results: Results, batch: Batch, found: list[messages.Document]) -> StelaeError | None:
    """Give each document its answer; returns the error of those that failed, if any did."""
    failed = []
    for piece, answer in zip(batch, found, strict=True):
        kinds.mark(piece.document, piece.kind, kinds.own_fault(answer))
        if (fault := kinds.fault_of(answer)) is not None:
            failed.append(answers.Failed(piece.place, answer.id, fault["code"], fault["message"]))
    results.put(batch, found)
    return answers.failures(failed) if failed else None
