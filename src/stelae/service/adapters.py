"""Calls that name an adapter: known names only, and a short wait while it loads."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, TypeVar

from stelae.catalog.entry import LONGEST_NAME, ModelEntry
from stelae.cluster.replica import Replica
from stelae.errors import InvalidInput, LoraLoading
from stelae.service.checks import AnyCall
from stelae.types import ChatCall, ExtractCall, ImageCall

T = TypeVar("T")

WAIT = 2.0
"""Seconds that a call waits for its adapter; whoever asked comes back after that."""

FIRST, LONGEST = 0.02, 0.5
"""Seconds between two looks: the first time, and at most."""


def check_lora(entry: ModelEntry, call: AnyCall | ChatCall | ImageCall) -> None:
    """Refuse a call that names an adapter that the model has not got.

    Raises:
        InvalidInput: It does; the message names those that there are.
    """
    if isinstance(call, ExtractCall) or call.lora is None or call.lora in entry.loras:
        return
    known = f"it has {', '.join(entry.loras)}" if entry.loras else "it has none"
    raise InvalidInput(
        f"lora={call.lora[:LONGEST_NAME]!r}: model {entry.name!r} has no such adapter; {known}",
        param="lora",
    )


def answered(
    replica: Replica, call: Any, timeout: float | None, patience: float | None
) -> Awaitable[Any]:
    """The answer of a replica; waits a little for an adapter that it has yet to load.

    Nothing else waits meanwhile: the replica refuses such a call at once.

    Args:
        replica: Who is asked.
        call: What.
        timeout: Seconds after which the answer is worth nothing.
        patience: Seconds that the caller waits for what is loading, if it says so.

    Raises:
        LoraLoading: The adapter is still loading.
        StelaeError: As from the replica.
    """
    if getattr(call, "lora", None) is None:
        return replica.infer(call, timeout=timeout)

    async def ask(left: float | None) -> Any:
        return await replica.infer(call, timeout=left)

    return _patiently(ask, timeout, patience)


async def streamed(
    replica: Replica, call: Any, timeout: float | None, patience: float | None
) -> AsyncGenerator[list[Any]]:
    """The answer of a replica, piece by piece; waits for an adapter as ``answered`` does."""

    async def ask(left: float | None) -> tuple[list[Any], AsyncGenerator[list[Any]]]:
        stream = replica.stream(call, timeout=left)
        return await anext(stream), stream

    first, stream = await _patiently(ask, timeout, patience)
    async with aclosing(stream):
        yield first
        async for pieces in stream:
            yield pieces


async def _patiently(
    ask: Callable[[float | None], Awaitable[T]], timeout: float | None, patience: float | None
) -> T:
    started, pause = time.monotonic(), FIRST
    bound = min(s for s in (WAIT, timeout, patience) if s is not None)
    while True:
        spent = time.monotonic() - started
        try:
            return await ask(None if timeout is None else timeout - spent)
        except LoraLoading:
            if time.monotonic() - started + pause > bound:
                raise
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST)
