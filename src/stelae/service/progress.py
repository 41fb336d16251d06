"""How far a model is on its way to answering, from what its room knows."""

from __future__ import annotations

from stelae.cluster.replica import Replica
from stelae.service.deployments import Standing
from stelae.types import ModelState, ReplicaInfo, Stage

FETCHED = 0.8
"""Part of the way that is done once the checkpoint is here and read."""

_STAGES = {
    ModelState.AVAILABLE: Stage.PENDING,
    ModelState.LOADING: Stage.LOADING,
    ModelState.READY: Stage.READY,
    ModelState.STOPPING: Stage.PENDING,
    ModelState.FAILED: Stage.FAILED,
}


def stage_of(standing: Standing, state: ModelState) -> Stage:
    """The stage of a model that is loaded, or being loaded."""
    if standing.loading is None:
        return _STAGES[state]
    if (fetching := standing.fetching) is None:
        return Stage.LOADING
    if not fetching.files:
        return Stage.PENDING
    return Stage.DOWNLOADING if fetching.part < 1.0 else Stage.LOADING


def part_of(standing: Standing, stage: Stage, up: int, wanted: int) -> float:
    """How far it is as a number, 0 to 1, where ``up`` of the replicas wanted are there."""
    if stage is Stage.READY:
        return 1.0
    if stage in (Stage.PENDING, Stage.FAILED, Stage.CANCELLED):
        return 0.0
    if standing.fetching is not None:
        return FETCHED * standing.fetching.part
    return FETCHED + (1.0 - FETCHED) * min(1.0, up / max(1, wanted))


def replica_info(replica: Replica) -> ReplicaInfo:
    """What is known of a replica."""
    return ReplicaInfo(
        number=replica.deployment.number,
        state=replica.state,
        pid=replica.vitals.pid,
        gpus=replica.deployment.gpus or (),
        memory_bytes=replica.memory_bytes,
        in_flight=replica.in_flight,
        restarts=replica.restarts,
        started=replica.started,
        error=None if replica.error is None else replica.error.info,
    )


def coming(number: int, gpus: tuple[int, ...]) -> ReplicaInfo:
    """A replica that is wanted and not there yet."""
    return ReplicaInfo(number=number, state=ModelState.LOADING, gpus=gpus)
