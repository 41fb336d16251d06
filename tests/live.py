"""A real server on a free port of this machine, inside the test's own event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

from stelae.config import Settings
from stelae.dialects.base import Dialect
from stelae.security.tls import load
from stelae.server.app import DIALECTS, build_app, build_catalog, build_house
from stelae.server.carriers import Carriers
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
        urls: All addresses, as asked for.
        house: The rooms behind its dialects.
        app: Its application.
        carriers: Its transports.
    """

    url: str
    urls: tuple[str, ...]
    house: House
    app: Edge
    carriers: Carriers

    @property
    def gateway(self) -> Gateway:
        """Its HTTP server."""
        return self.carriers.gateways[0]


@asynccontextmanager
async def live(
    *,
    at: Sequence[str] = ("http://127.0.0.1:0",),
    dialects: Iterable[Dialect] = DIALECTS,
    **settings: Any,
) -> AsyncIterator[Live]:
    """Serve the fake model in threads of this process, unless told otherwise.

    Args:
        at: Addresses to listen on.
        dialects: Protocols to speak.
        settings: As of ``stelae.config.Settings``.
    """
    given: dict[str, Any] = {"models": {"fake": FAKE}, "placement": "thread"} | settings
    with TemporaryDirectory() as folder:
        chosen = Settings(**{"store": {"folder": folder}} | given)
        async with _serving(chosen, at, dialects) as made:
            yield made


@asynccontextmanager
async def _serving(
    chosen: Settings, at: Sequence[str], dialects: Iterable[Dialect]
) -> AsyncIterator[Live]:
    tls = load(chosen.tls.certificate, chosen.tls.key)
    listeners = bind(at)
    urls = tuple(listener.url for listener in listeners)
    house = build_house(chosen, build_catalog(chosen))
    assembly = build_app(chosen, house, listen=urls, dialects=dialects)
    carriers = Carriers(assembly, chosen.limits, listeners, tls)
    await carriers.start()
    await house.start()
    await asyncio.gather(*(t for t in asyncio.all_tasks() if t.get_name() == "read-local"))
    try:
        yield Live(urls[0], urls, house, assembly.edge, carriers)
    finally:
        carriers.stop()
        await carriers.wait()
        await house.stop(5.0)


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for a condition; fails with ``TimeoutError`` if it does not come."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # the server has no event to wait for
            await asyncio.sleep(0.005)
