"""Replicas on this machine, in processes or in threads."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from stelae.cluster.controller import Placement
from stelae.cluster.deployment import Deployment
from stelae.cluster.patience import Patience
from stelae.cluster.process import ProcessReplica
from stelae.cluster.replica import Replica
from stelae.cluster.thread import ThreadReplica


class LocalController:
    """One replica per deployment on this machine; see ``Controller``.

    Args:
        placement: Where replicas live.
        patience: How worker processes are watched and replaced.
        arguments: Further arguments of the workers' command line.
    """

    def __init__(
        self,
        placement: Placement = Placement.PROCESS,
        patience: Patience | None = None,
        arguments: Sequence[str] = (),
    ) -> None:
        self._placement = placement
        self._patience = patience or Patience()
        self._arguments = tuple(arguments)
        self._replicas: dict[str, list[Replica]] = {}

    async def launch(self, deployment: Deployment) -> Replica:
        """Start a replica; see ``Controller.launch``."""
        replica = self._make(deployment)
        await replica.start()
        self._replicas.setdefault(deployment.name, []).append(replica)
        return replica

    async def stop(self, name: str, drain: float) -> None:
        """Stop the replicas of a deployment; see ``Controller.stop``."""
        stopping = list(self._replicas.get(name, ()))
        await asyncio.gather(*(replica.stop(drain) for replica in stopping))
        self._replicas.pop(name, None)

    def replicas(self, name: str | None = None) -> Sequence[Replica]:
        """The replicas of a deployment, or all there are."""
        if name is not None:
            return self._replicas.get(name, ())
        return [replica for several in self._replicas.values() for replica in several]

    def _make(self, deployment: Deployment) -> Replica:
        if self._placement is Placement.THREAD:
            return ThreadReplica(deployment)
        return ProcessReplica(deployment, self._patience, self._arguments)
