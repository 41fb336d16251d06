"""A real server on a free port of this machine, inside the test's own event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

from stelae.config import Settings
from stelae.server.app import build_app, build_catalog, build_house
from stelae.server.edge import Edge
from stelae.server.gateway import Gateway
from stelae.server.listeners import bind
from stelae.service.house import House

FAKE = {"source": "embedded", "engine": "fake"}
"""Settings of a model served by the fake engine."""


@dataclass(frozen=True, slots=True)
class Live:
    """A running server.

    Attributes:
        url: Where it listens.
        house: The rooms behind its dialects.
        app: Its application.
        gateway: Its HTTP server.
    """

    url: str
    house: House
    app: Edge
    gateway: Gateway


@asynccontextmanager
async def live(**settings: Any) -> AsyncIterator[Live]:
    """Serve the fake model in threads of this process, unless told otherwise.

    Args:
        settings: As of ``stelae.config.Settings``.
    """
    given: dict[str, Any] = {"models": {"fake": FAKE}, "placement": "thread"} | settings
    with TemporaryDirectory() as folder:
        async with _serving(Settings(**{"store": {"folder": folder}} | given)) as made:
            yield made


@asynccontextmanager
async def _serving(chosen: Settings) -> AsyncIterator[Live]:
    listeners = bind(["http://127.0.0.1:0"])
    house = build_house(chosen, build_catalog(chosen))
    app = build_app(chosen, house, listen=[listeners[0].url])
    gateway = Gateway(app, chosen.limits.drain_seconds)
    await house.start()
    serving = asyncio.create_task(gateway.serve([listeners[0].socket]))
    try:
        yield Live(listeners[0].url, house, app, gateway)
    finally:
        gateway.stop()
        await serving
        await house.stop(5.0)


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait for a condition; fails with ``TimeoutError`` if it does not come."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # the server has no event to wait for
            await asyncio.sleep(0.005)
