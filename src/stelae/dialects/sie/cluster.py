"""What the server has to give, in the SDK's words."""

from __future__ import annotations

from typing import Any

import msgspec

from stelae.dialects.base import About
from stelae.dialects.sie.models import STATES
from stelae.dialects.sie.pools import BUNDLE
from stelae.types import Capacity, ModelLoad, ModelState, Worker


class SieSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The whole in numbers.

    Attributes:
        worker_count: Workers that take calls.
        gpu_count: Their GPUs.
        models_loaded: Models loaded on any of them.
        total_qps: Calls taken on per second.
    """

    worker_count: int
    gpu_count: int
    models_loaded: int
    total_qps: float


class SieWorker(msgspec.Struct, frozen=True, kw_only=True):
    """A worker.

    Attributes:
        name: Names it among others.
        url: Where it is reached.
        gpu: Its machine profile.
        gpu_count: Its GPUs.
        ready_gpu_slots: Places that take calls: one for each GPU, one without any.
        healthy: Whether all its models answer.
        queue_depth: Calls accepted and not yet answered.
        pending_cost: Tokens of these calls.
        inflight_batches: Models at work, each on one batch.
        loaded_models: Models loaded on it.
        memory_used_bytes: Memory in use on the machine.
        memory_total_bytes: Memory of the machine.
        bundle: What it runs.
        bundle_config_hash: Always empty: there is one bundle.
    """

    name: str
    url: str
    gpu: str
    gpu_count: int
    ready_gpu_slots: int
    healthy: bool
    queue_depth: int
    pending_cost: int
    inflight_batches: int
    loaded_models: tuple[str, ...]
    memory_used_bytes: int
    memory_total_bytes: int
    bundle: str = BUNDLE
    bundle_config_hash: str = ""


class SieModelSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A model over all workers.

    Attributes:
        name: The model.
        state: Where it stands.
        worker_count: Workers that have it loaded.
        gpu_types: Their machine profiles.
        total_queue_depth: Calls accepted and not yet answered.
    """

    name: str
    state: str
    worker_count: int
    gpu_types: tuple[str, ...]
    total_queue_depth: int


def summary_of(capacity: Capacity) -> SieSummary:
    """The whole in numbers."""
    return SieSummary(
        worker_count=len(capacity.workers),
        gpu_count=sum(len(worker.gpus) for worker in capacity.workers),
        models_loaded=sum(_loaded(model) for model in capacity.models),
        total_qps=round(capacity.calls_per_second, 3),
    )


def workers_of(capacity: Capacity, about: About) -> list[SieWorker]:
    """All workers."""
    return [_worker(worker, about.url) for worker in capacity.workers]


def models_of(capacity: Capacity) -> list[SieModelSummary]:
    """All models."""
    profiles = tuple(worker.profile for worker in capacity.workers)
    return [_model(model, profiles if _loaded(model) else ()) for model in capacity.models]


def cluster_status(capacity: Capacity, about: About) -> dict[str, Any]:
    """A message of the cluster's feed."""
    return {
        "timestamp": capacity.time,
        "cluster": summary_of(capacity),
        "workers": workers_of(capacity, about),
        "models": models_of(capacity),
    }


def worker_status(capacity: Capacity, about: About) -> dict[str, Any]:
    """A message of the worker's feed; the names of user and folder are kept to the server."""
    worker = next(iter(capacity.workers), None) or Worker(name="", profile="", healthy=False)
    limits = about.limits
    return {
        "timestamp": capacity.time,
        "ready": worker.healthy,
        "name": worker.name,
        "machine_profile": worker.profile,
        "pool_name": "",
        "gpu_count": len(worker.gpus),
        "bundle": BUNDLE,
        "bundle_config_hash": "",
        "loaded_models": worker.models,
        "max_batch_requests": limits.get("batch_tokens", 0),
        "saturated": worker.queue_calls >= SATURATED * limits.get("calls", 1),
        "server": {
            "version": about.version,
            "uptime_seconds": int(max(0.0, capacity.time - about.started)),
            "user": "",
            "working_dir": "",
            "pid": about.pid,
        },
        "gpus": [
            {"device": f"cuda:{index}", "name": name, "gpu_type": worker.profile}
            for index, name in enumerate(worker.gpus)
        ],
        "models": [_model_status(model) for model in capacity.models],
    }


SATURATED = 0.9
"""Share of the calls it takes at once at which a worker calls itself saturated."""


def _loaded(model: ModelLoad) -> bool:
    return model.info.state is ModelState.READY


def _worker(worker: Worker, url: str) -> SieWorker:
    return SieWorker(
        name=worker.name,
        url=url,
        gpu=worker.profile,
        gpu_count=len(worker.gpus),
        ready_gpu_slots=max(1, len(worker.gpus)) if worker.healthy else 0,
        healthy=worker.healthy,
        queue_depth=worker.queue_calls,
        pending_cost=worker.queue_tokens,
        inflight_batches=worker.busy,
        loaded_models=worker.models,
        memory_used_bytes=worker.memory_used_bytes,
        memory_total_bytes=worker.memory_total_bytes,
    )


def _model(model: ModelLoad, profiles: tuple[str, ...]) -> SieModelSummary:
    return SieModelSummary(
        name=model.info.name,
        state=STATES[model.info.state],
        worker_count=len(profiles),
        gpu_types=profiles,
        total_queue_depth=model.queue_calls,
    )


def _model_status(model: ModelLoad) -> dict[str, Any]:
    info = model.info
    return {
        "name": info.name,
        "state": STATES[info.state],
        "device": info.device or None,
        "memory_bytes": info.memory_bytes,
        "config": {
            "hf_id": info.source.partition("@")[0],
            "adapter": info.engine or None,
            "inputs": info.inputs,
            "outputs": info.outputs,
            "dims": {"dense": info.dimensions} if info.dimensions else {},
            "max_sequence_length": info.max_tokens or None,
            "normalize": info.normalized,
        },
        "queue_depth": model.queue_calls,
        "queue_pending_items": model.queue_calls,
    }
