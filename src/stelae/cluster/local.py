"""Replicas on this machine, in processes or in threads."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from msgspec.structs import replace

from stelae.cluster.controller import Placement
from stelae.cluster.deployment import Deployment
from stelae.cluster.patience import Patience
from stelae.cluster.process import ProcessReplica
from stelae.cluster.replica import Replica
from stelae.cluster.thread import ThreadReplica
from stelae.engines import hardware
from stelae.engines.base import Device
from stelae.errors import InvalidInput


class LocalController:
    """The replicas on this machine; see ``Controller``.

    Args:
        placement: Where replicas live.
        patience: How worker processes are watched and replaced.
        arguments: Further arguments of the workers' command line.
        cards: GPUs of this machine, for replicas that are not told which they see.
    """

    def __init__(
        self,
        placement: Placement = Placement.PROCESS,
        patience: Patience | None = None,
        arguments: Sequence[str] = (),
        cards: int | None = None,
    ) -> None:
        self._placement = placement
        self._patience = patience or Patience()
        self._arguments = tuple(arguments)
        self._cards = len(hardware.gpus()) if cards is None else cards
        self._replicas: dict[str, list[Replica]] = {}

    async def launch(self, deployment: Deployment) -> Replica:
        """Start a replica; see ``Controller.launch``.

        Raises:
            InvalidInput: It is to live in a thread, and wants a process of its own.
        """
        replica = self._make(deployment)
        await replica.start()
        self._replicas.setdefault(deployment.name, []).append(replica)
        return replica

    async def stop(self, name: str, drain: float, number: int | None = None) -> None:
        """Stop replicas of a deployment; see ``Controller.stop``."""
        there = self._replicas.get(name, [])
        stopping = [r for r in there if number in (None, r.deployment.number)]
        await asyncio.gather(*(replica.stop(drain) for replica in stopping))
        left = [replica for replica in there if replica not in stopping]
        if left:
            self._replicas[name] = left
        else:
            self._replicas.pop(name, None)

    def replicas(self, name: str | None = None) -> Sequence[Replica]:
        """The replicas of a deployment, or all there are."""
        if name is not None:
            return self._replicas.get(name, ())
        return [replica for several in self._replicas.values() for replica in several]

    def _make(self, deployment: Deployment) -> Replica:
        if self._placement is Placement.THREAD:
            _check_thread(deployment)
            return ThreadReplica(deployment)
        return ProcessReplica(spread(deployment, self._cards), self._patience, self._arguments)


def spread(deployment: Deployment, cards: int) -> Deployment:
    """A further replica on a GPU of its own where there are several; the first sees them all.

    Args:
        deployment: The replica; one that is told what it sees, or to compute elsewhere, is let be.
        cards: GPUs of this machine.
    """
    elsewhere = deployment.options.device not in (None, Device.CUDA)
    if deployment.gpus is not None or deployment.number == 0 or cards < 2 or elsewhere:
        return deployment
    return replace(deployment, gpus=(deployment.number % cards,))


def _check_thread(deployment: Deployment) -> None:
    """Refuse what only a process of its own can have.

    Raises:
        InvalidInput: It has variables or GPUs of its own.
    """
    for param, given in (("environment", deployment.environment), ("gpus", deployment.gpus)):
        if given:
            raise InvalidInput(
                f"{param}: models of this server share its process and cannot have their own",
                param=param,
                hint="placement = 'process' gives each of them a worker process",
            )
