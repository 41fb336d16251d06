# Generated from src/stelae/sie/_async/renewal.py by tools/unasync.py: do not edit.
"""Keeps the pools that a client made, for as long as the client is open."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from threading import Lock
from typing import Any

from stelae.client._sync._crew import Crew
from stelae.errors import PoolNotFound, StelaeError
from stelae.types import LEASE_SECONDS, Pool

RENEWALS = 20
"""Renewals in the time of a lease: one a minute for the lease that pools have."""

log = logging.getLogger("stelae.sie")


class Renewal:
    """Renews pools in the background; what goes wrong there is logged once for each pool.

    Args:
        renew: Begins the lease of a pool anew.
    """

    def __init__(self, renew: Callable[[str], Pool]) -> None:
        self._renew = renew
        self._crew = Crew()
        self._kept: dict[str, float] = {}
        self._troubled: set[str] = set()
        self._lock = Lock()
        self._begun = False

    def keep(self, name: str, lease: float) -> None:
        """Renew a pool from now on.

        Args:
            name: The pool.
            lease: Seconds that it lives without renewal.
        """
        with self._lock:
            self._kept[name.lower()] = lease
            begun, self._begun = self._begun, True
        if not begun:
            self._crew.start(self._run)

    def forget(self, name: str) -> None:
        """Renew a pool no longer."""
        with self._lock:
            self._kept.pop(name.lower(), None)
            self._troubled.discard(name.lower())

    def close(self) -> None:
        """Renew nothing any more."""
        with self._crew:
            pass  # whoever leaves the crew stops it

    def _run(self) -> None:
        while True:
            with self._lock:
                kept = dict(self._kept)
            self._crew.pause(min(kept.values(), default=LEASE_SECONDS) / RENEWALS)
            for name in kept:
                self._once(name)

    def _once(self, name: str) -> None:
        try:
            self._renew(name)
        except PoolNotFound as error:
            if name in self._kept:  # else it was this client that ended it, meanwhile
                log.warning("pool %r is not renewed any more: %s", name, error)
                self.forget(name)
        except StelaeError as error:
            if name not in self._troubled:
                self._troubled.add(name)
                log.warning("pool %r could not be renewed: %s", name, error)
        else:
            self._troubled.discard(name)
