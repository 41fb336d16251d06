"""The seam between what should run and how it is brought up."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from stelae.cluster.deployment import Deployment
from stelae.cluster.replica import Replica


class Placement(StrEnum):
    """Where a replica lives."""

    PROCESS = "process"
    THREAD = "thread"


class Controller(Protocol):
    """Starts and stops the replicas of deployments."""

    async def launch(self, deployment: Deployment) -> Replica:
        """Start a replica; returns when it answers calls.

        Raises:
            StelaeError: It cannot be loaded, and why; nothing is left behind.
        """
        ...

    async def stop(self, name: str, drain: float, number: int | None = None) -> None:
        """Stop the replicas of a deployment, or the one of that number, if they are there.

        Their calls have ``drain`` seconds to finish.
        """
        ...

    def replicas(self, name: str | None = None) -> Sequence[Replica]:
        """The replicas of a deployment, or all there are."""
        ...
