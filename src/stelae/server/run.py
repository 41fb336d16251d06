"""``serve``: from settings to a running server, and back to an exit code."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

import uvloop

from stelae.cluster.memory import settle
from stelae.config import LogFormat, Settings
from stelae.security.tls import Tls, load
from stelae.server.app import build_app, build_catalog, build_house, build_keys
from stelae.server.carriers import Carriers, check_tls
from stelae.server.listeners import Listener, bind, close
from stelae.server.ready import announced
from stelae.telemetry import log
from stelae.telemetry.latest import LATEST

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def serve(
    settings: Settings,
    names: Sequence[str] = (),
    *,
    ready_file: Path | None = None,
    preload: bool = False,
) -> int:
    """Serve until told to stop.

    Args:
        settings: Everything that can be set.
        names: Models to load at start: known names, hub ids, folders, ``name=folder``.
        ready_file: Written when the server is ready, removed when it ends.
        preload: Load every registered model at start, not only those in ``names``.

    Returns:
        0 after an orderly stop, 1 if the server was forced to stop.

    Raises:
        StelaeError: The server could not start, and why.
    """
    LATEST.keep(settings.log.lines)
    log.configure(
        json=settings.log.format is LogFormat.JSON, level=settings.log.level, latest=LATEST
    )
    listeners: list[Listener] = []
    try:
        tls = load(settings.tls.certificate, settings.tls.key)
        listeners = bind(settings.listen)
        check_tls(listeners, tls)
        if exposed(settings, listeners):
            warn_if_open(listeners)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_serve(settings, names, (listeners, tls), ready_file, preload))
    finally:
        close(listeners)


def exposed(settings: Settings, listeners: Sequence[Listener]) -> bool:
    """Whether others on the network can use the server without a key."""
    return not (all(listener.loopback for listener in listeners) or build_keys(settings))


def warn_if_open(listeners: Sequence[Listener]) -> None:
    """Say that others on the network can use the server without a key."""
    log.get().warning(
        "open_to_the_network",
        listen=[listener.url for listener in listeners if not listener.loopback],
        advice="make a key with 'stelae keys create NAME', or listen on 127.0.0.1",
    )


class Stop:
    """The wish to stop: the first signal asks, the second insists."""

    def __init__(self, carriers: Carriers) -> None:
        self._carriers = carriers
        self._asked = asyncio.Event()
        self.forced = False

    def listen(self) -> None:
        """Take the signals that mean stop."""
        loop = asyncio.get_running_loop()
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, self._ask, signal.Signals(number).name)

    async def wait(self) -> None:
        """Until somebody wishes it."""
        await self._asked.wait()

    def _ask(self, name: str) -> None:
        self.forced = self._asked.is_set()
        log.get().info("stopping", signal=name, forced=self.forced)
        self._asked.set()
        self._carriers.stop(force=self.forced)


async def _serve(
    settings: Settings,
    names: Sequence[str],
    places: tuple[Sequence[Listener], Tls | None],
    ready_file: Path | None,
    preload: bool,
) -> int:
    listeners, tls = places
    listen = [listener.url for listener in listeners]
    catalog = build_catalog(settings)
    wanted = [catalog.register_argument(name).name for name in names]
    wanted += [name for name in catalog.names() if preload or catalog.entry(name).preload]
    house = build_house(settings, catalog, exposed=exposed(settings, listeners))
    assembly = build_app(settings, house, listen=listen)
    carriers = Carriers(assembly, settings.limits, listeners, tls)
    await carriers.start()
    stop = Stop(carriers)
    stop.listen()
    for url in listen:
        log.get().info(f"Endpoint: {url}")
    try:
        if await _unless_stopped(stop, house.start(wanted)):
            settle()
            models = [info.name for info in house.fleet.models()]
            with announced(ready_file, listen, models):
                log.get().info("ready", models=models)
                await stop.wait()
    finally:
        carriers.stop()
        await carriers.wait()
        await house.stop(0.0 if stop.forced else settings.limits.drain_seconds)
    return 1 if stop.forced else 0


async def _unless_stopped(stop: Stop, work: Coroutine[Any, Any, None]) -> bool:
    """Do the work, unless somebody wishes to stop first."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
        return working.done()
    finally:
        for task in (working, stopping):
            task.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)
