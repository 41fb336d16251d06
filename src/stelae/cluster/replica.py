"""The seam between a model and where it runs."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Protocol

from stelae.cluster.deployment import Deployment
from stelae.cluster.vitals import Vitals
from stelae.engines.base import EngineInfo
from stelae.errors import StelaeError
from stelae.types import ModelState


class Replica(Protocol):
    """One loaded engine on one device, in this process or another.

    Attributes:
        name: Name of the deployment.
        deployment: What it runs.
        state: Where it stands; calls to one that is ``LOADING`` wait.
        info: What the engine says of itself, once loaded.
        in_flight: Calls taken and not yet answered.
        restarts: How often its process was replaced.
        error: Why it is ``FAILED``.
        started: Unix time at which it was started.
    """

    name: str
    deployment: Deployment
    state: ModelState
    info: EngineInfo | None
    in_flight: int
    restarts: int
    error: StelaeError | None
    started: float

    @property
    def memory_bytes(self) -> int:
        """Resident memory of its process, as last told."""
        ...

    @property
    def vitals(self) -> Vitals:
        """Its figures, as last told."""
        ...

    async def start(self) -> None:
        """Load; returns when calls are answered.

        Raises:
            StelaeError: It cannot be loaded, and why.
        """
        ...

    async def infer(self, call: Any, *, timeout: float | None = None, urgent: bool = False) -> Any:
        """Run a call.

        Args:
            call: The call of any task that the engine serves.
            timeout: Seconds after which the answer is worth nothing.
            urgent: Goes before everything that is not (for health checks).

        Raises:
            StelaeError: The call as a whole failed.
        """
        ...

    def stream(self, call: Any, *, timeout: float | None = None) -> AsyncGenerator[list[Any]]:
        """Run a call that is answered in pieces.

        Only so many pieces are held as are on their way: who takes none lets the model rest.

        Args:
            call: What is asked.
            timeout: Seconds after which the answer is worth nothing.

        Returns:
            The pieces as they are made; closing the iterator ends the work. The last piece
            has ``usage``.

        Raises:
            StelaeError: The call failed, perhaps after some pieces.
        """
        ...

    async def stop(self, drain: float) -> None:
        """Refuse new calls, finish the accepted ones for up to ``drain`` seconds, unload."""
        ...
